/* A FastCGI program on libfcgi; what it does depends on the path. */
#include <fcgiapp.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    FCGX_Request request;
    char bytes[8192];
    int count;
    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        const char *path = FCGX_GetParam("SCRIPT_NAME", request.envp);
        /* libfcgi keeps the last request's. */
        FCGX_SetExitStatus(0, request.out);
        FCGX_FPrintF(request.out, "Content-Type: text/plain\r\n\r\n");
        if (strcmp(path, "/echo") == 0) {
            while ((count = FCGX_GetStr(bytes, sizeof bytes, request.in)) > 0) FCGX_PutStr(bytes, count, request.out);
        } else if (strcmp(path, "/stderr") == 0) {
            FCGX_FPrintF(request.err, "one\n");
            FCGX_FFlush(request.err);
            FCGX_FPrintF(request.out, "out");
            FCGX_FPrintF(request.err, "two\n");
        } else if (strcmp(path, "/fail") == 0) {
            FCGX_FPrintF(request.out, "half");
            FCGX_SetExitStatus(3, request.out);
        } else if (strcmp(path, "/crash") == 0) {
            FCGX_FPrintF(request.out, "half");
            FCGX_FFlush(request.out);
            _Exit(1);
        } else if (strcmp(path, "/flood") == 0) {
            memset(bytes, 'x', sizeof bytes);
            for (count = 0; count < 100000; count++)
                if (FCGX_PutStr(bytes, sizeof bytes, request.out) < 0) break;
        } else {
            FCGX_FPrintF(request.out, "%s", path);
        }
        FCGX_Finish_r(&request);
    }
    return 0;
}
