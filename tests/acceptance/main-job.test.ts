import {readFile}              from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentsAreHere, claudeReceives, codexContinue, codexLast, codexReceives, codexThread, runClaude} from './_agents.ts';
import {compare}               from './_compare.ts';
import {carryOver, contentsOf, firstDifference, mirrorOf, names, namesOf, resumeIdIn, rolloutOf, succeeded, transcriptOf, twoMachines} from './_journey.ts';
import type {Script}           from './_model.ts';
import type {Machine, World}   from './_world.ts';

const NOTHING = {missing: [], extra: []};
const FIRST_PROMPT = `Räum den Warenkorb auf: größe & total, 日本語 👋`;

const cleanUp = (project: string): Script => ({
  turns: [
    {thinking: `A cart clean-up. Look around first. Überlegen …`, text: `I will look around first. Grüße, 你好 👋`, calls: [{name: `Bash`, input: {command: `ls && echo 'héllo wörld'`, description: `List files`}}]},
    {calls: [
      {name: `Bash`, input: {command: `echo out; echo err >&2; exit 3`, description: `A command that fails`}},
      {name: `Read`, input: {file_path: `${project}/README.md`}},
      {name: `Read`, input: {file_path: `${project}/src/stock.js`}},
      {name: `Read`, input: {file_path: `${project}/missing.txt`}},
    ]},
    {calls: [{name: `Write`, input: {file_path: `${project}/src/cart.js`, content: `// Größe\nexport const total = xs => xs.reduce((a, b) => a + b, 0);\n`}}]},
    {text: `Now a small fix.`, calls: [{name: `Edit`, input: {file_path: `${project}/src/cart.js`, old_string: `a + b`, new_string: `a + b.price`}}]},
    {calls: [{name: `Edit`, input: {file_path: `${project}/src/cart.js`, old_string: `is not there`, new_string: `anything`}}]},
    {calls: [{name: `Grep`, input: {pattern: `total`, path: `${project}/src`, output_mode: `content`}}, {name: `Glob`, input: {pattern: `**/*.js`}}]},
    {text: `All done — das war's. ✅\n\n\`\`\`js\ntotal([{price: 1}])\n\`\`\``},
  ],
});

const lookCloser = (project: string): Script => ({
  turns: [
    {calls: [{name: `Read`, input: {file_path: `${project}/logo.png`}}]},
    {calls: [{name: `Bash`, input: {command: `seq 1 9000`, description: `A long output`}}]},
    {calls: [{name: `Bash`, input: {command: `seq 1 4000`, description: `One that is just not too long`}}]},
    {calls: [{name: `Agent`, input: {description: `Find the cart`, prompt: `SUBAGENT-ALPHA find all cart code`, subagent_type: `general-purpose`, run_in_background: false}}]},
    {calls: [{name: `Nowhere`, input: {a: 1}}]},
    {text: `The cart is in src/cart.js only.`},
  ],
  agents: {'SUBAGENT-ALPHA': [
    {text: `Searching`, calls: [{name: `Bash`, input: {command: `ls src`, description: `List src`}}]},
    {text: `Found src/cart.js (report of the sub-agent, größe).`},
  ]},
});

describe.runIf(agentsAreHere())(`a session of Claude Code`, () => {
  let world: World;
  let alice: Machine;
  let bob: Machine;
  let remote: string;
  let session: string;
  let mirror: string;
  let failed = false;

  const prompt = async (text: string, script: Script) => {
    const run = await runClaude(alice, {prompt: text, script, resume: session});
    expect(run).toMatchObject({exitCode: 0, stderr: ``});
    session = run.session!;
  };

  beforeAll(async () => {
    ({world, alice, bob, remote} = await twoMachines());
    await prompt(FIRST_PROMPT, cleanUp(alice.project));
    await prompt(`Sieh genauer hin, bitte.`, lookCloser(alice.project));
    await prompt(`Danke!`, {turns: [{text: `Gern.`}]});
    await alice.settled();
    mirror = await mirrorOf(alice);
  });

  afterAll(() => world?.dispose({failed}));

  // The tests follow one another like the days of a session.
  const step = (name: string, body: () => Promise<void>) => test(name, async () => {
    try {
      await body();
    } catch (error) {
      failed = true;
      throw error;
    }
  });

  step(`is in Codex when the turn ends: every prompt, text, call and result, in order and once`, async () => {
    const source = await claudeReceives(alice, session);
    expect(source.filter(item => item.kind === `call`)).toHaveLength(15);
    expect(compare(source, await codexReceives(alice, mirror), names(session, alice, alice))).toEqual(NOTHING);
  });

  step(`stands in Codex's list under its first prompt, and can be read there`, async () => {
    expect(await codexLast(alice)).toBe(mirror);
    const {listed, thread} = await codexThread(alice, mirror);
    expect({listed, title: thread.title, cwd: thread.cwd}).toEqual({listed: true, title: FIRST_PROMPT, cwd: alice.project});
    const shown = thread.turns.flatMap(turn => turn.items);
    expect(shown.filter(item => item.type === `userMessage`).map(item => item.content[0].text)).toEqual([FIRST_PROMPT, `Sieh genauer hin, bitte.`, `Danke!`]);
    expect(shown.filter(item => item.type === `agentMessage`).map(item => item.text)).toContain(`The cart is in src/cart.js only.`);
    expect(thread.turns).toHaveLength(3);
  });

  step(`is a commit beside the branches, and nothing else has changed in the repository`, async () => {
    const refs = (await alice.git(`for-each-ref`, `--format=%(refname)`)).split(`\n`);
    expect(refs.filter(ref => !/^refs\/session-sync[-/]/.test(ref))).toEqual([`refs/heads/main`, `refs/remotes/origin/main`]);
    const [ref] = refs.filter(ref => ref.startsWith(`refs/session-sync/s/`));
    expect(ref).toContain(`/${session}/`);
    const message = await alice.git(`log`, `-1`, `--format=%B`, ref!);
    expect(message).toContain(`Session: ${session}`);
    expect(message).toContain(`Agent: claude-code`);
    expect(message).toContain(`Branch: main`);
    expect(message).toContain(`Commit: ${await alice.git(`rev-parse`, `HEAD`)}`);
    expect(await alice.git(`fsck`, `--strict`, `--no-dangling`)).toBe(``);
    // Only what the agent itself has written.
    expect(await alice.git(`status`, `--porcelain`)).toBe(`?? src/cart.js`);
  });

  step(`goes on in Codex on another machine, in another folder, under another name`, async () => {
    await carryOver(alice, bob, remote);
    const id = resumeIdIn(succeeded(await bob.sessionSync(`restore`, session, `--agent`, `codex`)), `codex`);
    const received = await codexReceives(bob, id);
    expect(compare(await claudeReceives(alice, session), received, names(session, alice, bob))).toEqual(NOTHING);
    expect(JSON.stringify(received)).not.toContain(alice.home);
    const [, output] = /Full output saved to: (\S.*)\n/.exec(received.flatMap(item => item.kind === `result` ? [item.text] : []).join(`\n`))!;
    expect((await readFile(output!, `utf8`)).trimEnd().split(`\n`)).toHaveLength(9000);

    expect(await codexLast(bob)).toBe(id);
    const {listed, thread} = await codexThread(bob, id);
    expect({listed, title: thread.title, cwd: thread.cwd}).toEqual({listed: true, title: FIRST_PROMPT, cwd: bob.project});
  });

  step(`goes on in Claude Code there as if it had been made there`, async () => {
    const output = succeeded(await bob.sessionSync(`restore`, session, `--agent`, `claude-code`));
    expect(resumeIdIn(output, `claude`)).toBe(session);
    const [source, received] = [await claudeReceives(alice, session), await claudeReceives(bob, session)];
    expect(compare(source, received, names(session, alice, bob))).toEqual(NOTHING);
    expect(received.map(item => item.kind)).toEqual(source.map(item => item.kind));

    // Byte for byte, but for the paths.
    let expected = await readFile(transcriptOf(alice, session), `utf8`);
    for (const [index, [from]] of namesOf(alice).entries())
      expected = expected.replaceAll(from, namesOf(bob)[index]![0]);
    expect(firstDifference(await readFile(transcriptOf(bob, session), `utf8`), expected)).toBeNull();
    const sideFiles = (machine: Machine) => Object.keys(contentsOf(path.join(path.dirname(transcriptOf(machine, session)), session)));
    expect(sideFiles(bob)).toEqual(sideFiles(alice));
  });

  step(`changes nothing when it is restored twice`, async () => {
    const before = [contentsOf(path.join(bob.codexHome, `sessions`)), contentsOf(path.join(bob.claudeHome, `projects`))];
    for (const agent of [`codex`, `claude-code`])
      succeeded(await bob.sessionSync(`restore`, session, `--agent`, agent));
    expect([contentsOf(path.join(bob.codexHome, `sessions`)), contentsOf(path.join(bob.claudeHome, `projects`))]).toEqual(before);
  });

  step(`grows on the other machine by what is new`, async () => {
    const id = await codexLast(bob);
    const [rollout, transcript] = [await readFile(rolloutOf(bob, id), `utf8`), await readFile(transcriptOf(bob, session), `utf8`)];
    await prompt(`Noch eine Frage.`, {turns: [{calls: [{name: `Bash`, input: {command: `echo more`}}]}, {text: `Noch eine Antwort.`}]});
    await alice.settled();
    expect(await mirrorOf(alice)).toBe(mirror);
    await carryOver(alice, bob, remote);
    expect(resumeIdIn(succeeded(await bob.sessionSync(`restore`, session, `--agent`, `codex`)), `codex`)).toBe(id);
    succeeded(await bob.sessionSync(`restore`, session, `--agent`, `claude-code`));
    expect((await readFile(rolloutOf(bob, id), `utf8`)).startsWith(rollout)).toBe(true);
    expect((await readFile(transcriptOf(bob, session), `utf8`)).startsWith(transcript)).toBe(true);

    const source = await claudeReceives(alice, session);
    expect(compare(source, await codexReceives(bob, id), names(session, alice, bob))).toEqual(NOTHING);
    expect(compare(source, await claudeReceives(bob, session), names(session, alice, bob))).toEqual(NOTHING);
  });

  step(`is left alone in Codex once Codex has gone on with it, and gets a new mirror`, async () => {
    await codexContinue(alice, mirror, `What do you think?`, [{text: `Codex thinks so too.`}]);
    const continued = await readFile(rolloutOf(alice, mirror), `utf8`);
    await prompt(`Und weiter in Claude Code.`, {turns: [{text: `Weiter geht es.`}]});
    await alice.settled();

    expect(await readFile(rolloutOf(alice, mirror), `utf8`)).toBe(continued);
    const status = succeeded(await alice.sessionSync(`status`));
    expect(status).toContain(mirror);
    const next = [...status.matchAll(/codex resume ([0-9a-f-]{36})/g)].map(match => match[1]!).find(id => id !== mirror);
    expect(next, status).toBeDefined();
    expect(compare(await claudeReceives(alice, session), await codexReceives(alice, next!), names(session, alice, alice))).toEqual(NOTHING);
    const heard = await codexReceives(alice, mirror);
    expect(heard.filter(item => item.kind === `reply`).at(-1)).toEqual({kind: `reply`, text: `Codex thinks so too.`});
  });
});
