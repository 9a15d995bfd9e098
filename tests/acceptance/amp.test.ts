import {existsSync}            from 'node:fs';
import {mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {pathToFileURL}         from 'node:url';

import {afterEach, describe, expect, test} from 'vitest';

import {claudeCode}            from '../../sources/agents/claude-code/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';
import {haveAgents}            from '../agents.mjs';

import {AmpService, heardByAmp} from './_amp.ts';
import {fixtureNames, fixtureProject, placeFixture, succeeded, transcriptOf} from './_journey.ts';
import {share}                 from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';

function ampIsHere() {
  if (haveAgents([`amp`]))
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`amp is not in .agents/`);
  process.stderr.write(`the tests with Amp need it in .agents/: \`npm run test:agents\`\n`);
  return false;
}

describe.runIf(ampIsHere())(`Amp`, () => {
  let world: World;
  let alice: Machine;
  let service: AmpService | undefined;

  const begin = async (project: string) => {
    world = await World.create([`claude`, `amp`]);
    alice = await world.machine({user: `alice`, home: `home/alice`, project});
    await alice.createProject({'README.md': `# Shop\n`});
    await mkdir(path.join(alice.claudeHome, `projects`), {recursive: true});
    succeeded(await alice.sessionSync(`init`));
  };

  afterEach(async context => {
    await service?.close();
    service = undefined;
    await world.dispose({failed: context.task.result?.state === `fail`});
  });

  const restore = (session: string, ...more: Array<string>) =>
    alice.run(`session-sync`, [`restore`, session, `--agent`, `amp`, ...more], {env: service?.env ?? {}, timeoutMs: 90_000});

  test.each(fixtureNames().slice(0, 3))(`%s is uploaded whole by Amp's own importer, after a yes`, async name => {
    await begin(await fixtureProject(name));
    const session = await placeFixture(alice, name);
    succeeded(await alice.sessionSync(`sync`));
    service = await AmpService.start();

    const refused = await restore(session);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain(`--yes`);
    expect(service.uploads).toEqual([]);

    const told = succeeded(await restore(session, `--yes`));
    expect(service.uploads).toHaveLength(1);
    expect(told).toMatch(/amp -x 'Continue the work of \S*T-5e551000-0000-4000-8000-000000000000\. Read that thread first\.'/);
    expect(service.uploads[0].visibility).toMatchObject({visibility: `private`});
    // Where large outputs lie for a session that was restored.
    const side = path.join(alice.project, `.git`, `session-sync`, `files`, session);
    const heard = JSON.parse(JSON.stringify(heardByAmp(service.uploads[0])).replaceAll(side, transcriptOf(alice, session).slice(0, -`.jsonl`.length)));
    const {missing, ...counts} = share(asAmpHasIt(await recordsOf(alice, session)), heard);
    expect(missing).toEqual([]);
    expect(counts.prompts.of).toBeGreaterThan(0);

    // The same state is the same thread.
    succeeded(await restore(session, `--yes`));
    expect(service.uploads).toHaveLength(1);
  });

  test(`is not mirrored into without being asked`, async () => {
    await begin(`shop`);
    service = await AmpService.start();
    await placeFixture(alice, fixtureNames()[0]!);
    succeeded(await alice.run(`session-sync`, [`sync`], {env: service.env}));
    succeeded(await alice.run(`session-sync`, [`restore`], {env: service.env}));
    expect(service.uploads).toEqual([]);
  });

  test.each([[`logged out`, null], [`with imports switched off`, `disabled` as const]])(`%s, gets a document to hand over`, async (_, mode) => {
    await begin(`shop`);
    const session = await placeFixture(alice, fixtureNames()[0]!);
    succeeded(await alice.sessionSync(`sync`));
    service = mode === null ? undefined : await AmpService.start(mode);
    const told = succeeded(await restore(session, `--yes`));
    expect(told).toContain(`Nothing was uploaded`);
    const document = /< '([^']+\.md)'/.exec(told)![1]!;
    const text = await readFile(document, `utf8`);
    for (const record of await recordsOf(alice, session))
      if (record.kind === `reply`)
        expect(text).toContain(record.text);
  });

  test(`brings old local threads into git`, async () => {
    await begin(`shop`);
    const id = `T-11111111-1111-4111-8111-111111111111`;
    const folder = path.join(alice.home, `.local`, `share`, `amp`, `threads`);
    await mkdir(folder, {recursive: true});
    const fixture = JSON.parse(await readFile(path.join(import.meta.dirname, `..`, `fixtures`, `amp`, `legacy.json`), `utf8`));
    await writeFile(path.join(folder, `${id}.json`), JSON.stringify({...fixture, env: {initial: {trees: [{uri: pathToFileURL(alice.project).href}]}}}));
    expect(succeeded(await alice.sessionSync(`sync`))).toContain(`new records`);
    expect(succeeded(await alice.sessionSync(`list`))).toContain(`amp`);
    expect(existsSync(path.join(folder, `${id}.json`))).toBe(true);
    expect(await readdir(folder)).toEqual([`${id}.json`]);
  });
});

/** Nothing is compacted there: summaries are prompts, and what Claude Code says to itself is left out. */
function asAmpHasIt(records: Array<NeutralRecord>): Array<NeutralRecord> {
  return records.map(record => record.kind === `compaction`
    ? {...record, kind: `prompt`, content: [{type: `text`, text: record.summary}]}
    : record.kind === `note` ? {...record, visible: false} : record);
}

async function recordsOf(machine: Machine, session: string): Promise<Array<NeutralRecord>> {
  const reader = claudeCode.source!.openReader({name: `main`, stream: `main`}, undefined, {unbounded: true});
  const records: Array<NeutralRecord> = [];
  for await (const lines of follow(transcriptOf(machine, session), 0))
    for (const line of lines)
      records.push(...reader.push(line));
  return records;
}
