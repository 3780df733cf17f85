#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* OpenSSL has these as macros only, which Swift does not see. */

static inline int openssl_set_minimum_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version);
}

/* SSL_CTX_set_msg_callback(3): `argument` is given to the callback. */
static inline void openssl_set_message_argument(SSL_CTX *context, void *argument) {
  SSL_CTX_set_msg_callback_arg(context, argument);
}

static inline void openssl_set_app_data(SSL_CTX *context, void *data) {
  SSL_CTX_set_app_data(context, data);
}

/* What was set for the context of the connection whose peer is being verified (SSL_CTX_set_verify(3)). */
static inline void *openssl_verified_app_data(X509_STORE_CTX *store) {
  SSL *connection = (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  return connection ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)) : NULL;
}
