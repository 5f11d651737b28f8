//! HTTP, WebSocket JSON-RPC, WHEP, logins and TLS.
