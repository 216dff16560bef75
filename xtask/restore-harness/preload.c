/*
 * The stand-in as a preloaded library, for Xen's own libxl-save-helper:
 *
 *     STANDIN_TYPE=hvm LD_PRELOAD=libstandin.so libxl-save-helper --restore-domain FD -1 7 5 0 6 0 0 0
 *
 * STANDIN_TYPE is what the domain was created as: hvm (the default) or pv. The domain's number must be 7.
 */
#include <stdlib.h>
#include <string.h>

#include "standin.h"

__attribute__((constructor)) static void create(void)
{
    const char *type = getenv("STANDIN_TYPE");

    standin_domain.hvm = !type || strcmp(type, "pv") != 0;
    standin_create();
}
