//! What a sandbox reaches outside: the egress proxy, the way to the store, the key proxy.
