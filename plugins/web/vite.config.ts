import { defineConfig } from "vite";

// `npm run dev` shows the sources as they are and asks a running server for data
const server = process.env.METAFLOW_SERVER ?? "http://127.0.0.1:8088";

export default defineConfig({
  // relative addresses: the page also works below a prefix of a reverse proxy
  base: "./",
  build: {
    outDir: "metaflow_web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing as data: URL, so that the policy can stay strict
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: { proxy: { "/v1": server, "/prom": server, "/api": server } },
});
