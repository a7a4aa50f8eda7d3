//! Sources become artifacts: resolve, fetch, verify, package, store and serve.
