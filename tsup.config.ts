import {chmod, copyFile, readFile, readdir, writeFile} from 'node:fs/promises';
import {defineConfig}                                  from 'tsup';

/** What is bundled is distributed: its licences go with it. */
const licences = {
  name: `licences`,
  setup(build: {initialOptions: {metafile?: boolean}; onEnd(callback: (result: {metafile?: {inputs: {[file: string]: unknown}}}) => Promise<void>): void}) {
    build.initialOptions.metafile = true;
    build.onEnd(async ({metafile}) => {
      const folders = new Set(Object.keys(metafile?.inputs ?? {}).flatMap(file => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
      const texts: Array<string> = [];
      for (const folder of [...folders].sort()) {
        const {name, version, license} = JSON.parse(await readFile(`${folder}/package.json`, `utf8`)) as {[key: string]: string};
        const file = (await readdir(folder)).find(entry => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
        texts.push(`${name} ${version} (${license})\n\n${file === undefined ? `` : await readFile(`${folder}/${file}`, `utf8`)}`);
      }
      await writeFile(`dist/THIRD-PARTY-LICENSES.txt`, texts.join(`\n\n${`-`.repeat(80)}\n\n`));
    });
  },
};

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
  esbuildOptions(options: {mainFields?: Array<string>; minifyWhitespace?: boolean; minifySyntax?: boolean}) {
    options.mainFields = [`module`, `main`];
    // Half of a short command's time is V8 reading the source. Names stay, for what an error says.
    options.minifyWhitespace = true;
    options.minifySyntax = true;
  },
  minify: false,
  sourcemap: false,
};

export default defineConfig([{
  ...shared,
  entry: {main: `sources/main.ts`, worker: `sources/sync/worker.ts`},
  splitting: true,
  clean: false,
  esbuildPlugins: [licences],
  async onSuccess() {
    for (const name of [`hook.sh`, `git-hook.sh`])
      await copyFile(`sources/sync/${name}`, `dist/${name}`);
    for (const name of [`worker.js`, `hook.sh`])
      await chmod(`dist/${name}`, 0o755);
  },
}, {
  ...shared,
  // One file that needs no other to say its version; what does the work is loaded when there is work.
  entry: {cli: `sources/cli.ts`},
  banner: {},
  splitting: false,
  clean: false,
  async onSuccess() {
    await chmod(`dist/cli.js`, 0o755);
  },
  esbuildPlugins: [{
    name: `main-beside`,
    setup(build) {
      build.onResolve({filter: /^\.\/main\.ts$/}, () => ({path: `./main.js`, external: true}));
    },
  }],
}, {
  ...shared,
  entry: {'interchange/index': `sources/interchange/index.ts`},
  splitting: false,
  clean: false,
  dts: true,
}]);
