/* A program that verifies its standard input, and has another decompressor than libxenstream under the same names. */
#ifndef ALONE
#include <xenstream.h>
#endif
#include <stddef.h>
#include <stdio.h>

#ifdef OWN
/* Functions of this program's own: whoever else gets to call them fails. */
int lzma_code(void *stream, int action)
{
    (void)stream;
    (void)action;
    return 11;
}

size_t ZSTD_decompressStream(void *stream, void *output, void *input)
{
    (void)stream;
    (void)output;
    (void)input;
    return (size_t)-1;
}
#else
/* The system's. */
extern const char *VERSION(void);
#endif

int main(void)
{
#ifdef OWN
    if (lzma_code(NULL, 0) != 11 || ZSTD_decompressStream(NULL, NULL, NULL) != (size_t)-1)
        return 99;
#else
    puts(VERSION());
#endif
#ifdef ALONE
    return 0;
#else
    return xs_verify_fd(0, XS_FORMAT_AUTO, NULL, NULL);
#endif
}
