/// libcurl for Swift: fixed argument types in place of its variadic functions, and the library loaded when it is first
/// needed. Linking it would make every program that might call out load some thirty libraries (TLS, Kerberos, LDAP)
/// before `main`: 4.5 ms of a function's cold start.
#ifndef SWIFTLET_CCURL_H
#define SWIFTLET_CCURL_H

#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef size_t (*_Nonnull ccurl_sink)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);

/// Loads and initializes libcurl: NULL, or why that failed. Call it once, before anything else here.
const char *_Nullable ccurl_load(void);

CURL *_Nullable ccurl_easy_init(void);
void ccurl_easy_cleanup(CURL *_Nonnull easy);
CURLcode ccurl_easy_set_long(CURL *_Nonnull easy, CURLoption option, long value);
CURLcode ccurl_easy_set_size(CURL *_Nonnull easy, CURLoption option, int64_t value);
CURLcode ccurl_easy_set_string(CURL *_Nonnull easy, CURLoption option, const char *_Nonnull value);
CURLcode ccurl_easy_set_pointer(CURL *_Nonnull easy, CURLoption option, void *_Nullable value);
CURLcode ccurl_easy_set_sink(CURL *_Nonnull easy, CURLoption option, ccurl_sink value);
void *_Nullable ccurl_easy_context(CURL *_Nonnull easy);
/// Lets a transfer that was paused by its sink go on.
CURLcode ccurl_easy_resume(CURL *_Nonnull easy);
const char *_Nonnull ccurl_easy_strerror(CURLcode code);

struct curl_slist *_Nullable ccurl_slist_append(struct curl_slist *_Nullable list, const char *_Nonnull text);
void ccurl_slist_free_all(struct curl_slist *_Nullable list);

CURLM *_Nullable ccurl_multi_init(void);
void ccurl_multi_cleanup(CURLM *_Nonnull multi);
CURLMcode ccurl_multi_add(CURLM *_Nonnull multi, CURL *_Nonnull easy);
CURLMcode ccurl_multi_remove(CURLM *_Nonnull multi, CURL *_Nonnull easy);
CURLMcode ccurl_multi_perform(CURLM *_Nonnull multi);
CURLMcode ccurl_multi_poll(CURLM *_Nonnull multi, int milliseconds);
CURLMcode ccurl_multi_wakeup(CURLM *_Nonnull multi);
/// The next transfer that has ended, or NULL.
CURL *_Nullable ccurl_multi_ended(CURLM *_Nonnull multi, CURLcode *_Nonnull result);

#endif
