// `npm test`: installs, builds and runs every test. The last line is `N passed, N failed`.
//
//   (nothing)   unit tests, and the acceptance tests when the agents are there
//   --agents    fetches the agents, then runs the acceptance tests only
//   CI=true     fetches the agents, runs both; a test that did not run counts as failed
import {spawn}                         from 'node:child_process';
import {mkdtempSync, readFileSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir}                        from 'node:os';
import {join, relative}                from 'node:path';
import process                         from 'node:process';
import {fetchAgents, haveAgents}       from './agents.mjs';
import {build, installDependencies, root} from './_toolchain.mjs';

const ci = /^(1|true)$/i.test(process.env.CI ?? ``);
const agentsOnly = process.argv.includes(`--agents`);
const demandAgents = ci || agentsOnly;
const scratch = realpathSync(mkdtempSync(join(tmpdir(), `session-sync-tests-`)));

/** Nothing of the person's own agents, settings or git configuration reaches a test. */
function testEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^(CLAUDE|ANTHROPIC|CODEX|OPENAI|OPENCODE|GEMINI|GOOGLE|QWEN|COPILOT|GITHUB_|GH_|PI_|KILO|CLINE|KIMI|MOONSHOT|AMP_|GIT_|XDG_|SESSION_SYNC|npm_|NODE_OPTIONS$|NODE_ENV$)|_proxy$/i.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: scratch,
    USERPROFILE: scratch,
    GIT_CONFIG_GLOBAL: `/dev/null`,
    GIT_CONFIG_SYSTEM: `/dev/null`,
    ...demandAgents && {SESSION_SYNC_DEMAND_AGENTS: `1`},
  };
}

/** Runs one vitest project; its output goes to the terminal, its counts come from the json reporter. */
async function runProject(project) {
  const report = join(scratch, `${project}.json`);
  const exitCode = await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, `node_modules/vitest/vitest.mjs`), `run`, `--project`, project, `--reporter=default`, `--reporter=json`, `--outputFile.json=${report}`], {
      cwd: root, env: testEnvironment(), stdio: [`ignore`, `inherit`, `inherit`],
    });
    const forward = signal => child.kill(signal);
    process.on(`SIGINT`, forward).on(`SIGTERM`, forward);
    child.on(`error`, reject).on(`close`, code => {
      process.off(`SIGINT`, forward).off(`SIGTERM`, forward);
      resolve(code ?? 1);
    });
  });
  return count(report, exitCode);
}

function count(report, exitCode) {
  let result;
  try {
    result = JSON.parse(readFileSync(report, `utf8`));
  } catch {
    return {passed: 0, failed: 1};
  }
  const passed = result.numPassedTests;
  // A file that cannot even be loaded has no test of its own to fail.
  const unloadable = result.testResults.filter(file => file.status === `failed` && !file.assertionResults.some(test => test.status === `failed`)).length;
  const unrun = demandAgents ? result.numPendingTests + result.numTodoTests : 0;
  const failed = result.numFailedTests + unloadable + unrun;
  failures.push(...failuresOf(result));
  if (unrun > 0)
    process.stdout.write(`${unrun} tests did not run, which counts as failed here\n`);
  // An error outside every test (an unhandled rejection) shows only in the exit code.
  return {passed, failed: failed || (exitCode === 0 ? 0 : 1)};
}

/** What failed, each with its first words: the end of a long log is what a person sees first. */
function failuresOf({testResults}) {
  return testResults.flatMap(({name, message, assertionResults}) => {
    const file = relative(root, name);
    const failed = assertionResults.filter(test => test.status === `failed`).map(test => `${file} > ${test.fullName}\n${shortened(test.failureMessages.join(`\n`))}`);
    const unrun = demandAgents ? assertionResults.filter(test => ![`passed`, `failed`].includes(test.status)).map(test => `${file} > ${test.fullName}\n  did not run`) : [];
    return [...failed, ...unrun, ...message && failed.length === 0 ? [`${file}\n${shortened(message)}`] : []];
  });
}

function shortened(message) {
  return message.split(`\n`).slice(0, 12).map(line => `  ${line.slice(0, 300)}`).join(`\n`);
}

const total = {passed: 0, failed: 0};
const failures = [];
try {
  installDependencies();
  build();
  if (demandAgents)
    fetchAgents();
  const projects = [...agentsOnly ? [] : [`unit`], ...haveAgents() ? [`acceptance`] : []];
  for (const project of projects) {
    const {passed, failed} = await runProject(project);
    total.passed += passed;
    total.failed += failed;
  }
  if (!projects.includes(`acceptance`))
    process.stdout.write(`The acceptance tests drive real agents, which are not here; \`npm run test:agents\` fetches them from npm into .agents/ and runs these tests.\n`);
} catch (error) {
  process.stdout.write(`${error.message}\n`);
  total.failed += 1;
} finally {
  rmSync(scratch, {recursive: true, force: true});
}
for (const failure of failures)
  process.stdout.write(`failed: ${failure}\n`);
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
