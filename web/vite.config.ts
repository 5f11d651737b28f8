//! How the page is built: one hashed script and one hashed style sheet, nothing inline, because the
//! host serves it under a content security policy that allows only its own files.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2023",
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
});
