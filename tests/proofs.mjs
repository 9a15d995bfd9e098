// Re-runs all proofs with real agents and prints what they say.
//
//   npm run proofs                       with the pinned versions
//   npm run proofs -- --latest           with the newest versions of npm: what has changed under us?
//   npm run proofs -- --latest gemini    only these agents
//
// A version whose package for this platform is not in the registry is passed over for the newest one that is whole.
import {execFileSync, spawn}              from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir}                           from 'node:os';
import {join}                             from 'node:path';
import process                            from 'node:process';

import {agents}                           from './agents.mjs';
import {build, installDependencies, root} from './_toolchain.mjs';

const latest = process.argv.includes(`--latest`);
const names = process.argv.slice(2).filter(arg => !arg.startsWith(`-`));
const wanted = names.length > 0 ? names : Object.keys(agents);
const unknown = wanted.filter(name => !(name in agents));
if (unknown.length > 0) {
  process.stderr.write(`${unknown.join(`, `)}: no such agent; there are ${Object.keys(agents).join(`, `)}\n`);
  process.exit(1);
}

/** What npm says of a package, or null when it has no answer. */
function view(ident, ...fields) {
  try {
    const out = execFileSync(process.platform === `win32` ? `npm.cmd` : `npm`, [`view`, ident, ...fields, `--json`], {stdio: [`ignore`, `pipe`, `ignore`], timeout: 60_000, shell: process.platform === `win32`});
    return out.length === 0 ? null : JSON.parse(String(out));
  } catch {
    return null;
  }
}

/** Looked for among the last few, because a platform's own package may come later than the one that names it. */
function newest(name) {
  const {package: ident, version: pinned, program} = agents[name];
  const tagged = view(ident, `dist-tags.latest`);
  const versions = [tagged, ...(view(ident, `versions`) ?? []).slice(-8).reverse()].filter(version => typeof version === `string` && !/-(alpha|beta|nightly|preview|rc|dev)/.test(version));
  const native = program === undefined ? null : program.split(`/`).slice(0, program.startsWith(`@`) ? 2 : 1).join(`/`);
  for (const version of versions) {
    if (native === null || view(`${native}@${version}`, `version`) !== null)
      return version;
    // Some name the platform in the version instead of the package.
    if (Object.values(view(`${ident}@${version}`, `optionalDependencies`) ?? {}).some(spec => String(spec).startsWith(`npm:`)))
      return version;
  }
  return pinned;
}

/** The acceptance tests of an agent: its own files, and those that every agent is in. */
function filesOf(name) {
  const folder = `tests/acceptance`;
  const own = {claude: [`main-job`, `fixtures`, `hooks`, `interrupted`, `claude-code-target`], codex: [`main-job`, `fixtures`, `interrupted`, `codex-source`]};
  return (own[name] ?? [name]).map(file => `${folder}/${file}.test.ts`).filter(file => existsSync(join(root, file)));
}

function run(files, versions) {
  const scratch = mkdtempSync(join(tmpdir(), `session-sync-proofs-`));
  const report = join(scratch, `report.json`);
  return new Promise(resolve => {
    const child = spawn(process.execPath, [join(root, `node_modules/vitest/vitest.mjs`), `run`, `--project`, `acceptance`, `--reporter=json`, `--outputFile.json=${report}`, ...files], {
      cwd: root,
      env: {...process.env, HOME: scratch, SESSION_SYNC_DEMAND_AGENTS: `1`, SESSION_SYNC_AGENT_VERSIONS: JSON.stringify(versions)},
      stdio: [`ignore`, `ignore`, `ignore`],
    });
    child.on(`close`, () => {
      let result = {numPassedTests: 0, numFailedTests: 1, testResults: []};
      try {
        result = JSON.parse(readFileSync(report, `utf8`));
      } catch {
        // It did not get as far as a report.
      }
      rmSync(scratch, {recursive: true, force: true});
      resolve(result);
    });
  });
}

installDependencies();
build();
let failures = 0;
const rows = [];
for (const name of wanted) {
  const pinned = agents[name].version;
  const version = latest ? newest(name) : pinned;
  const versions = version === pinned ? {} : {[name]: version};
  const env = {...process.env, SESSION_SYNC_AGENT_VERSIONS: JSON.stringify(versions)};
  process.stdout.write(`${name} ${version}${version === pinned ? `` : ` (proven: ${pinned})`} … `);
  try {
    execFileSync(process.execPath, [join(root, `tests/agents.mjs`)], {stdio: [`ignore`, `ignore`, `pipe`], timeout: 900_000, env});
  } catch (error) {
    process.stdout.write(`could not be fetched: ${String(error.stderr).trim().split(`\n`).at(-1)}\n`);
    failures += 1;
    rows.push([name, pinned, version, `could not be fetched`]);
    continue;
  }
  const files = filesOf(name);
  const result = files.length === 0 ? null : await run(files, versions);
  const failed = result?.testResults.flatMap(file => file.assertionResults.filter(test => test.status === `failed`)) ?? [];
  const verdict = result === null ? `no proofs yet` : result.numFailedTests === 0 && result.numPassedTests > 0 ? `${result.numPassedTests} proofs hold` : `${result.numFailedTests} of ${result.numFailedTests + result.numPassedTests} proofs fail`;
  process.stdout.write(`${verdict}\n`);
  for (const test of failed)
    process.stdout.write(`    ${test.fullName}\n      ${String(test.failureMessages[0] ?? ``).split(`\n`).slice(0, 6).join(`\n      `)}\n`);
  failures += result === null || result.numFailedTests > 0 || result.numPassedTests === 0 ? 1 : 0;
  rows.push([name, pinned, version, verdict]);
}

process.stdout.write(`\n${[[`agent`, `proven`, latest ? `newest` : `run`, `result`], ...rows].map(row => row.map((value, at) => value.padEnd([10, 22, 22, 0][at])).join(` `).trimEnd()).join(`\n`)}\n`);
process.exitCode = failures === 0 ? 0 : 1;
