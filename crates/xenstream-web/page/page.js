// The page. Text from files and from the verifier reaches the document through textContent only.
"use strict";

(async () => {
  /** Images that are judged at a time. */
  const WORKERS = Math.min(4, navigator.hardwareConcurrency || 1);
  /** The largest scrubbed copy that is put together in memory, where the browser cannot write to a file as it goes. */
  const COPY_MAX = 1 << 30;
  /** The height of a row of the record table, in pixels. */
  const ROW = 24;

  const byId = (id) => document.getElementById(id);
  const results = byId("results");
  const status = byId("status");

  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const module = await WebAssembly.compile(await XENSTREAM.wasm());

  /** A thread, and the one task that it has. */
  class Thread {
    constructor() {
      this.start();
    }

    start() {
      this.worker = new Worker(XENSTREAM.worker());
      this.worker.postMessage({ module });
      this.worker.onmessage = ({ data }) => {
        const { listener, resolve, reject } = this.task ?? {};
        if (data.result !== undefined) {
          this.task = undefined;
          resolve(data.result);
        } else if (data.error !== undefined) {
          this.task = undefined;
          reject(new Error(data.error));
        } else {
          listener?.(data);
        }
      };
    }

    run(task, details, listener) {
      return new Promise((resolve, reject) => {
        this.task = { listener, resolve, reject };
        this.worker.postMessage({ id: 0, task, ...details });
      });
    }

    /** Ends the task, wherever it is. */
    cancel() {
      const task = this.task;
      this.task = undefined;
      this.worker.terminate();
      this.start();
      task?.reject(new Error("cancelled"));
    }
  }

  const idle = Array.from({ length: WORKERS }, () => new Thread());
  const waiting = [];

  /** Runs a task on the next thread that is free. Returns its result, and a function that cancels it. */
  const schedule = (task, details, listener) => {
    let thread;
    let isCancelled = false;
    const begin = () =>
      new Promise((resolve) => {
        const free = idle.pop();
        if (free) resolve(free);
        else waiting.push(resolve);
      });
    const result = (async () => {
      thread = await begin();
      try {
        if (isCancelled) throw new Error("cancelled");
        return await thread.run(task, details, listener);
      } finally {
        const next = waiting.shift();
        if (next) next(thread);
        else idle.push(thread);
      }
    })();
    const cancel = () => {
      isCancelled = true;
      thread?.cancel();
    };
    return { result, cancel };
  };

  const choices = () =>
    JSON.stringify({
      profile: byId("profile").value,
      target: byId("target").value,
      keep_going: byId("keep-going").checked,
    });

  /** A finding that can be explained in place. */
  const finding = ({ level, rule, message, place }) => {
    const item = make("li");
    item.append(make("strong", `level-${level}`, level), ": ", make("code", "", rule), ": ", message, make("span", "place", place));
    item.append(explanation(rule));
    return item;
  };

  const explanation = (subject) => {
    const details = make("details");
    details.append(make("summary", "", `What does ${subject} mean?`));
    details.addEventListener(
      "toggle",
      async () => {
        const text = await schedule("explained", { subject }).result;
        details.append(make("pre", "explanation", text.trim()));
      },
      { once: true },
    );
    return details;
  };

  /** Bytes around a finding. Lines of arrows mark the field. */
  const showView = (element, view) => {
    for (const line of view.replace(/^\n/, "").trimEnd().split("\n")) {
      const text = line.replace(/^ {4}/, "");
      element.append(/^ *\^\^/.test(text) ? make("span", "mark", text) : text, "\n");
    }
  };

  /** The record table: rows that are scrolled into view are built, and no others. */
  const showRecords = (details, rows, count) => {
    const table = details.querySelector(".table");
    const body = details.querySelector(".rows");
    const noun = count === 1 ? "record" : "records";
    const shown = rows.length < count ? `, the first ${rows.length} of them` : "";
    details.querySelector("summary").textContent = `Records: ${count} ${noun}${shown}`;
    table.setAttribute("aria-rowcount", String(rows.length + 1));
    const line = (cells, role, className) => {
      const row = make("div", `row ${className}`);
      row.setAttribute("role", "row");
      for (const cell of cells) {
        const element = make("span", "", cell);
        element.setAttribute("role", role);
        row.append(element);
      }
      return row;
    };
    const head = line(["offset", "index", "layer", "type", "length", "content"], "columnheader", "head");
    const render = () => {
      const first = Math.max(0, Math.floor(table.scrollTop / ROW) - 5);
      const last = Math.min(rows.length, first + Math.ceil(table.clientHeight / ROW) + 10);
      const built = rows.slice(first, last).map((row, index) => {
        const indented = "  ".repeat(row.depth) + row.type;
        const content = row.torn ? `${row.content}  torn` : row.content;
        const element = line([row.offset, row.index, row.layer, indented, row.length, content], "cell", row.torn ? "torn" : "");
        element.style.top = `${(first + index + 1) * ROW}px`;
        element.setAttribute("aria-rowindex", String(first + index + 2));
        element.lastChild.title = content;
        return element;
      });
      body.replaceChildren(head, ...built);
    };
    body.style.height = `${(rows.length + 1) * ROW}px`;
    table.addEventListener("scroll", () => requestAnimationFrame(render), { passive: true });
    details.addEventListener("toggle", render);
  };

  /** The report's pictures, which are a page of their own without scripts. */
  const showPictures = (details, file, chosen) => {
    details.addEventListener(
      "toggle",
      async () => {
        const note = make("p", "place", "Drawing …");
        details.append(note);
        try {
          const page = await schedule("pictures", { file, name: file.name, choices: chosen }).result;
          const frame = make("iframe");
          frame.title = `Pictures of ${file.name}`;
          frame.setAttribute("sandbox", "");
          frame.srcdoc = page;
          note.replaceWith(frame);
        } catch (error) {
          note.textContent = error.message;
        }
      },
      { once: true },
    );
  };

  /** Saves a copy without the guest's data. Most of it is zeros, which a file need not store. */
  const saveScrubbed = async (file, chosen, done) => {
    const suggestedName = `${file.name.replace(/\.gz$/, "")}.scrubbed`;
    let target;
    if (window.showSaveFilePicker) {
      try {
        target = await (await window.showSaveFilePicker({ suggestedName })).createWritable();
      } catch (error) {
        if (error.name === "AbortError") return;
        target = undefined;
      }
    }
    if (!target && file.size > COPY_MAX) {
      done.textContent = "This browser cannot save a copy of more than 1 GiB; use xenstream scrub.";
      return;
    }
    done.textContent = "Scrubbing …";
    const parts = [];
    const zeros = new Blob([new Uint8Array(1 << 20)]);
    let position = 0;
    let written = Promise.resolve();
    const listener = ({ piece }) => {
      if (piece === undefined) return;
      const at = position;
      const isZeros = typeof piece === "number";
      position += isZeros ? piece : piece.length;
      if (target) {
        if (!isZeros) written = written.then(() => target.write({ type: "write", position: at, data: piece }));
        return;
      }
      if (!isZeros) {
        parts.push(new Blob([piece]));
        return;
      }
      for (let left = piece; left > 0; left -= zeros.size) {
        parts.push(left < zeros.size ? zeros.slice(0, left) : zeros);
      }
    };
    try {
      const [size, ...remaining] = await schedule("scrubbed", { file, choices: chosen }, listener).result;
      await written;
      if (target) {
        await target.truncate(position);
        await target.close();
      } else {
        const link = make("a");
        link.href = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
        link.download = suggestedName;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      }
      done.textContent = `Saved ${size}. What still identifies the guest: ${remaining.join("; ")}`;
    } catch (error) {
      await target?.abort();
      done.textContent = `Not scrubbed: ${error.message}`;
    }
  };

  const judge = async (file) => {
    const chosen = choices();
    const article = byId("result").content.firstElementChild.cloneNode(true);
    const find = (selector) => article.querySelector(selector);
    find("h2").textContent = file.name;
    results.prepend(article);
    const { result, cancel } = schedule("judge", { file, name: file.name, choices: chosen }, ({ progress }) => {
      find("progress").value = progress;
    });
    find(".cancel").addEventListener("click", cancel);
    let answer;
    try {
      answer = await result;
    } catch (error) {
      answer = { verdict: "error", word: error.message === "cancelled" ? "cancelled" : "error" };
      answer.description = error.message === "cancelled" ? "" : error.message;
    }
    find(".progress").remove();
    article.classList.add(answer.verdict);
    find(".verdict").textContent = answer.word;
    find(".description").textContent = answer.description;
    status.textContent = `${file.name}: ${answer.word}. ${answer.description}`;
    article.dataset.verdict = answer.verdict;
    if (!answer.text || answer.verdict === "error") return;
    article.dataset.bytesRead = answer.bytesRead;
    article.dataset.milliseconds = answer.milliseconds;
    article.dataset.reads = answer.reads;
    article.dataset.rule = answer.findings[0]?.rule ?? "";
    article.dataset.offset = answer.findings[0]?.offset ?? "";

    find(".guest").textContent = answer.guest;
    const releases = find(".releases");
    if (answer.restores_on === null) {
      releases.remove();
    } else {
      releases.querySelector("p").textContent = `restores on: ${answer.restores_on}`;
      for (const { releases: by, fact, title, place } of answer.refused) {
        const item = make("li", "", `refused by ${by}: ${title}`);
        item.append(make("span", "place", place), explanation(fact));
        releases.querySelector("ul").append(item);
      }
      if (answer.hosts.length > 0) {
        releases.append(make("p", "place", `depends on the host: ${answer.hosts.join("; ")}`));
      }
    }
    if (answer.findings.length + answer.notes.length === 0) {
      find(".findings").remove();
    } else {
      find(".findings > ol").append(...answer.findings.map(finding));
      if (answer.view) showView(find(".view"), answer.view);
      find(".notes").append(...answer.notes.map((note) => make("li", "", note)));
    }
    find(".copy").addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(answer.text);
        find(".done").textContent = "Copied.";
      } catch {
        const text = make("pre", "", answer.text);
        find(".actions").after(text);
        getSelection().selectAllChildren(text);
        find(".done").textContent = "Press Ctrl+C to copy the text below.";
      }
    });
    find(".scrub").addEventListener("click", () => saveScrubbed(file, chosen, find(".done")));
    showRecords(find(".records"), answer.rows, answer.row_count);
    showPictures(find(".pictures"), file, chosen);
    find(".body").hidden = false;
  };

  const judgeAll = (files) => Array.from(files).forEach((file) => judge(file));

  byId("files").addEventListener("change", ({ target }) => {
    judgeAll(target.files);
    target.value = "";
  });
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    judgeAll(event.dataTransfer.files);
  });
  byId("choices").addEventListener("submit", (event) => event.preventDefault());

  for (const { name, label } of await schedule("targets", {}).result) {
    const option = make("option", "", label);
    option.value = name;
    byId("target").append(option);
  }
  document.body.dataset.ready = "yes";
})();
