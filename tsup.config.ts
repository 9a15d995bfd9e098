import {chmod, copyFile} from 'node:fs/promises';
import {defineConfig}    from 'tsup';

const shared = {
  format: [`esm` as const],
  target: `node20`,
  platform: `node` as const,
  outDir: `dist`,
  // Everything is bundled: an installed session-sync has no dependency tree, and starts without resolving one.
  noExternal: [/.*/],
  // Some bundled packages are CommonJS and call require() for Node's own modules.
  banner: {js: `import {createRequire as __createRequire} from 'node:module'; const require = __createRequire(import.meta.url);`},
  // The CommonJS builds of some packages (jsonc-parser) load their parts in a way that a bundler cannot follow.
  esbuildOptions(options: {mainFields?: Array<string>}) {
    options.mainFields = [`module`, `main`];
  },
  minify: false,
  sourcemap: false,
};

export default defineConfig([{
  ...shared,
  entry: {cli: `sources/cli.ts`, worker: `sources/sync/worker.ts`},
  splitting: true,
  clean: false,
  async onSuccess() {
    await copyFile(`sources/sync/hook.sh`, `dist/hook.sh`);
    for (const name of [`cli.js`, `worker.js`, `hook.sh`])
      await chmod(`dist/${name}`, 0o755);
  },
}, {
  ...shared,
  entry: {'interchange/index': `sources/interchange/index.ts`},
  splitting: false,
  clean: false,
  dts: true,
}]);
