// Judges files, one at a time, so that the page stays responsive. The file's bytes never leave this thread.
"use strict";

/** Milliseconds between two reports of progress. */
const PACE = 100;

/** A file as the verifier reads it, at any offset. */
class Source {
  constructor(file, progress) {
    this.file = file;
    this.size = file.size;
    this.bytesRead = 0;
    this.reads = 0;
    this.reader = new FileReaderSync();
    this.progress = progress;
    this.told = performance.now();
  }

  read(offset, length) {
    return this.take(this.file.slice(offset, offset + length), offset);
  }

  /** Many places by one call: most of what a call takes is the way to the browser and back. */
  readPieces(first, stride, count, length) {
    const pieces = Array.from({ length: count }, (_, index) => {
      const offset = first + index * stride;
      return this.file.slice(offset, offset + length);
    });
    return this.take(new Blob(pieces), first);
  }

  take(blob, offset) {
    const bytes = new Uint8Array(this.reader.readAsArrayBuffer(blob));
    this.bytesRead += bytes.length;
    this.reads += 1;
    const now = performance.now();
    if (now - this.told > PACE) {
      this.told = now;
      this.progress(offset / this.size);
    }
    return bytes;
  }

  /** What wasm-bindgen calls when it is done with the object. */
  free() {}
}

/** The file, or for a gzip file what the browser decompresses from it. */
async function decompressed(file) {
  const magic = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  if (!(magic[0] === 0x1f && magic[1] === 0x8b && magic[2] === 8)) {
    return { file, isGzip: false };
  }
  const stream = file.stream().pipeThrough(new DecompressionStream("gzip"));
  return { file: await new Response(stream).blob(), isGzip: true };
}

const tasks = {
  async judge({ file, name, choices }, tell) {
    const started = performance.now();
    const whole = await decompressed(file);
    const source = new Source(whole.file, (done) => tell({ progress: done }));
    const answer = JSON.parse(wasm_bindgen.judge(source, name, choices, whole.isGzip));
    answer.milliseconds = performance.now() - started;
    answer.bytesRead = source.bytesRead;
    answer.reads = source.reads;
    return answer;
  },

  async pictures({ file, name, choices }, tell) {
    const whole = await decompressed(file);
    return wasm_bindgen.pictures(new Source(whole.file, (done) => tell({ progress: done })), name, choices);
  },

  async scrubbed({ file, choices }, tell) {
    const whole = await decompressed(file);
    const take = (piece) => {
      if (typeof piece === "number") {
        tell({ piece });
      } else {
        tell({ piece }, [piece.buffer]);
      }
    };
    return wasm_bindgen.scrubbed(new Source(whole.file, (done) => tell({ progress: done })), choices, take);
  },

  async explained({ subject }) {
    return wasm_bindgen.explained(subject);
  },

  async targets() {
    return JSON.parse(wasm_bindgen.targets());
  },
};

let ready;

self.onmessage = async ({ data }) => {
  if (data.module) {
    ready = wasm_bindgen({ module_or_path: data.module });
    return;
  }
  const { id, task } = data;
  const tell = (message, transfer) => self.postMessage({ id, ...message }, transfer ?? []);
  try {
    await ready;
    tell({ result: await tasks[task](data, tell) });
  } catch (error) {
    tell({ error: error instanceof Error ? error.message : String(error) });
  }
};
