#include "CCurl.h"
#include <dlfcn.h>

#define SYMBOLS(X)                                                                                                     \
    X(curl_global_init) X(curl_easy_init) X(curl_easy_cleanup) X(curl_easy_setopt) X(curl_easy_getinfo)                \
    X(curl_easy_pause) X(curl_easy_strerror) X(curl_slist_append) X(curl_slist_free_all) X(curl_multi_init)            \
    X(curl_multi_cleanup) X(curl_multi_add_handle) X(curl_multi_remove_handle) X(curl_multi_perform)                   \
    X(curl_multi_setopt) X(curl_multi_poll) X(curl_multi_wakeup) X(curl_multi_info_read)

// curl.h also defines macros of these names, with arguments; none of them is expanded where no parenthesis follows.
static struct {
#define X(name) __typeof__(&name) name;
    SYMBOLS(X)
#undef X
} curl;

const char *ccurl_load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
    if (!library) return dlerror();
#define X(name)                                                                                                        \
    if (!(curl.name = (__typeof__(&name))dlsym(library, #name))) return dlerror();
    SYMBOLS(X)
#undef X
    CURLcode code = (curl.curl_global_init)(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK ? NULL : (curl.curl_easy_strerror)(code);
}

CURL *ccurl_easy_init(void) { return (curl.curl_easy_init)(); }
void ccurl_easy_cleanup(CURL *easy) { (curl.curl_easy_cleanup)(easy); }
CURLcode ccurl_easy_set_long(CURL *easy, CURLoption option, long value) { return (curl.curl_easy_setopt)(easy, option, value); }
CURLcode ccurl_easy_set_size(CURL *easy, CURLoption option, int64_t value) { return (curl.curl_easy_setopt)(easy, option, (curl_off_t)value); }
CURLcode ccurl_easy_set_string(CURL *easy, CURLoption option, const char *value) { return (curl.curl_easy_setopt)(easy, option, value); }
CURLcode ccurl_easy_set_pointer(CURL *easy, CURLoption option, void *value) { return (curl.curl_easy_setopt)(easy, option, value); }
CURLcode ccurl_easy_set_sink(CURL *easy, CURLoption option, ccurl_sink value) { return (curl.curl_easy_setopt)(easy, option, value); }
CURLcode ccurl_easy_resume(CURL *easy) { return (curl.curl_easy_pause)(easy, CURLPAUSE_CONT); }
const char *ccurl_easy_strerror(CURLcode code) { return (curl.curl_easy_strerror)(code); }

void *ccurl_easy_context(CURL *easy) {
    char *context = NULL;
    (curl.curl_easy_getinfo)(easy, CURLINFO_PRIVATE, &context);
    return context;
}

struct curl_slist *ccurl_slist_append(struct curl_slist *list, const char *text) { return (curl.curl_slist_append)(list, text); }
void ccurl_slist_free_all(struct curl_slist *list) { (curl.curl_slist_free_all)(list); }


CURLM *ccurl_multi_init(void) {
    CURLM *multi = (curl.curl_multi_init)();
    // By default idle connections are kept in proportion to what runs now: after a burst, most would be closed.
    if (multi) (curl.curl_multi_setopt)(multi, CURLMOPT_MAXCONNECTS, 256L);
    return multi;
}

void ccurl_multi_cleanup(CURLM *multi) { (curl.curl_multi_cleanup)(multi); }
CURLMcode ccurl_multi_add(CURLM *multi, CURL *easy) { return (curl.curl_multi_add_handle)(multi, easy); }
CURLMcode ccurl_multi_remove(CURLM *multi, CURL *easy) { return (curl.curl_multi_remove_handle)(multi, easy); }
CURLMcode ccurl_multi_poll(CURLM *multi, int milliseconds) { return (curl.curl_multi_poll)(multi, NULL, 0, milliseconds, NULL); }
CURLMcode ccurl_multi_wakeup(CURLM *multi) { return (curl.curl_multi_wakeup)(multi); }

CURLMcode ccurl_multi_perform(CURLM *multi) {
    int running;
    return (curl.curl_multi_perform)(multi, &running);
}

CURL *ccurl_multi_ended(CURLM *multi, CURLcode *result) {
    int left;
    for (CURLMsg *message; (message = (curl.curl_multi_info_read)(multi, &left));)
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    return NULL;
}
