// curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic, and Swift
// cannot call variadic C. Each wrapper fixes one argument type.
#pragma once
#include <curl/curl.h>
#include <curl/multi.h>

static inline CURLcode tape_easy_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tape_easy_off(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tape_easy_string(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tape_easy_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode tape_easy_slist(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
typedef size_t (*tape_data_cb)(char *, size_t, size_t, void *);
static inline CURLcode tape_easy_callback(CURL *h, CURLoption o, tape_data_cb f) { return curl_easy_setopt(h, o, f); }
static inline CURLcode tape_info_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode tape_info_string(CURL *h, CURLINFO i, char **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode tape_info_pointer(CURL *h, CURLINFO i, void **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLMcode tape_multi_long(CURLM *m, CURLMoption o, long v) { return curl_multi_setopt(m, o, v); }
static inline CURLMcode tape_multi_pointer(CURLM *m, CURLMoption o, void *v) { return curl_multi_setopt(m, o, v); }
typedef int (*tape_socket_cb)(CURL *, curl_socket_t, int, void *, void *);
typedef int (*tape_timer_cb)(CURLM *, long, void *);
static inline CURLMcode tape_multi_socket_cb(CURLM *m, tape_socket_cb f) { return curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, f); }
static inline CURLMcode tape_multi_timer_cb(CURLM *m, tape_timer_cb f) { return curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, f); }
typedef curl_socket_t (*tape_opensocket_cb)(void *, curlsocktype, struct curl_sockaddr *);
static inline CURLcode tape_easy_opensocket_cb(CURL *h, tape_opensocket_cb f) { return curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, f); }
typedef int (*tape_seek_cb)(void *, curl_off_t, int);
static inline CURLcode tape_easy_seek_cb(CURL *h, tape_seek_cb f) { return curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, f); }
typedef int (*tape_prereq_cb)(void *, char *, char *, int, int);
static inline CURLcode tape_easy_prereq_cb(CURL *h, tape_prereq_cb f) { return curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, f); }
