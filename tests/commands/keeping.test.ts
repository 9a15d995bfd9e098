import * as fs                                          from 'node:fs/promises';
import path                                             from 'node:path';
import {describe, expect, it}                           from 'vitest';

import {unprivileged}                                   from '../_unprivileged.ts';

import {OTHER, RECORDS, SESSION, grow, makeKept, makeShared, makeWorld, snapshot} from './_runCli.ts';

describe(`sync`, () => {
  it(`takes sessions that are older than init, once: the second run makes no commit and writes nothing`, async () => {
    const {alice} = await makeWorld();
    await alice.record();
    await alice.ok(`init`);
    const first = await alice.json([`sync`]);
    expect(first).toMatchObject({unchanged: 0, failed: [], skipped: []});
    expect(first.synced.map(({session, records}: {session: string; records: number}) => [session, records]).sort()).toEqual([[SESSION, RECORDS], [OTHER, 4]]);
    expect(await alice.rollouts()).toHaveLength(2);

    const refs = await alice.refs();
    const before = await snapshot(alice.home);
    expect(await alice.json([`sync`])).toMatchObject({synced: [], unchanged: 2, failed: []});
    expect(await alice.ok(`sync`, `--force`)).toContain(`Everything is up to date (2 sessions).`);
    expect(await alice.refs()).toBe(refs);
    expect(await alice.rollouts()).toHaveLength(2);
    for (const [file, text] of Object.entries(await snapshot(path.join(alice.home, `.codex`))))
      expect(text).toBe(before[path.join(`.codex`, file)]);
  });

  it(`takes only what is asked for, and what is new`, async () => {
    const {alice} = await makeWorld();
    await alice.record();
    await alice.ok(`init`);
    expect((await alice.json([`sync`, SESSION])).synced).toHaveLength(1);
    expect(await alice.json([`sync`, `5e55`], 1)).toMatchObject({code: `AMBIGUOUS_SESSION`});
    expect(await alice.json([`sync`, `ffff`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    await grow(alice);
    const {synced} = await alice.json([`sync`, SESSION]);
    expect(synced).toMatchObject([{session: SESSION, records: 1}]);
    expect(await alice.git(`log`, `--format=%h`, (await alice.refs()).split(` `)[0]!)).toMatch(/^\w+\n\w+\n$/);
  });

  it(`mirrors into an agent that was not there before`, async () => {
    const {alice} = await makeWorld();
    await fs.rm(path.join(alice.home, `.codex`), {recursive: true});
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    expect(await alice.rollouts()).toEqual([]);
    await fs.mkdir(path.join(alice.home, `.codex`));
    const {synced} = await alice.json([`sync`]);
    expect(synced).toMatchObject([{session: SESSION, records: 0, mirrors: [{agent: `codex`, records: RECORDS}]}]);
    expect(await alice.rollouts()).toHaveLength(1);
  });
});

describe(`status`, () => {
  it(`reads as the manual says: session, branch and commit, then a line an agent`, async () => {
    const {alice} = await makeKept();
    const commit = (await alice.git(`rev-parse`, `HEAD`)).slice(0, 7);
    const [head, source, mirror, git] = (await alice.ok(`status`)).split(`\n`);
    expect(head).toMatch(new RegExp(`^Session 5e551000 \\(main @ ${commit}\\) Warenkorb aufräumen \\(from codex\\), .+$`));
    expect(source).toBe(`  claude-code → claude --resume ${SESSION} (the source)`);
    expect(mirror).toMatch(/^ {2}codex → codex resume [0-9a-f-]{36} \(10 records\)/);
    expect(git).toBe(`  git → ${RECORDS} records, not known to be pushed`);

    await alice.ok(`push`);
    expect(await alice.ok(`status`)).toContain(`  git → ${RECORDS} records, pushed to origin\n`);
  });

  it(`says when the agent went on with its mirror, and when the transcript is gone`, async () => {
    const {alice} = await makeKept();
    const [rollout] = await alice.rollouts();
    await fs.appendFile(rollout!, `${JSON.stringify({timestamp: `2026-11-21T00:00:00.000Z`, type: `event_msg`, payload: {type: `user_message`, message: `on`, images: []}})}\n`);
    expect(await alice.ok(`status`)).toContain(`continued in Codex`);
    const went = await fs.readFile(rollout!, `utf8`);
    await grow(alice);
    await alice.ok(`sync`);
    expect(await fs.readFile(rollout!, `utf8`)).toBe(went);
    expect(await alice.rollouts()).toHaveLength(2);
    expect(await alice.ok(`status`)).toContain(`was left alone: continued in Codex`);

    await fs.rm(alice.transcript());
    expect(await alice.ok(`status`)).toContain(`claude-code → its transcript is gone; what was stored stays: session-sync restore 5e551000`);
  });

  it(`shows what was restored on this machine, and that it has grown since`, async () => {
    const {alice, bob} = await makeShared();
    expect(await bob.ok(`status`)).toContain(`No session is kept yet.`);
    const {restored} = await bob.json([`restore`, SESSION]);
    const status = await bob.ok(`status`);
    for (const {agent, command, records} of restored)
      expect(status).toContain(`  ${agent} → ${command} (${records} records, restored)\n`);
    expect(status).toContain(`  git → ${RECORDS} records, from origin\n`);
    expect((await bob.json([`status`])).sessions).toMatchObject([{session: SESSION, where: `remote`, restored: [{agent: `claude-code`}, {agent: `codex`}]}]);

    await grow(alice);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await bob.ok(`pull`);
    expect(await bob.ok(`status`)).toContain(`it has grown since: session-sync restore 5e551000`);
    await bob.ok(`restore`, SESSION);
    expect(await bob.ok(`status`)).not.toContain(`grown`);
  });
});

describe(`pause and resume`, () => {
  it(`keeps nothing in between, and catches up after`, async () => {
    const {alice} = await makeKept();
    expect(await alice.json([`pause`])).toEqual({paused: true});
    expect((await alice.cli(`status`)).stderr).toContain(`Paused`);
    await grow(alice);
    const refs = await alice.refs();
    const hook = await alice.program(`sh`, `-c`, `echo '{"hook_event_name":"Stop","session_id":"${SESSION}","transcript_path":"${alice.transcript()}","cwd":"${alice.repo}"}' | session-sync-hook claude-code`);
    expect(hook).toEqual({exitCode: 0, stdout: ``, stderr: ``});
    expect(await fs.readdir(path.join(alice.repo, `.git/session-sync/spool`))).toEqual([]);
    expect(await alice.refs()).toBe(refs);

    expect(await alice.json([`resume`])).toMatchObject({paused: false, wasPaused: true, synced: [{session: SESSION, records: 1}]});
    expect(await alice.json([`resume`])).toMatchObject({paused: false, wasPaused: false, synced: [], unchanged: 1});
    expect(await alice.refs()).not.toBe(refs);
  });
});

describe(`clean`, () => {
  it(`removes nothing without a bound, nor what no remote has`, async () => {
    const {alice} = await makeKept();
    const refs = await alice.refs();
    expect(await alice.json([`clean`], 1)).toMatchObject({code: `NO_BOUND`});
    for (const bound of [`0d`, `3`, `d`, `-1d`, `1x`, `1e9d`])
      expect(await alice.json([`clean`, `--older-than=${bound}`], 1)).toMatchObject({code: `BAD_BOUND`});
    const kept = await alice.cli(`clean`, `--older-than`, `1h`);
    expect(kept.exitCode).toBe(2);
    expect(kept.stderr).toContain(`kept, no remote is known to have it`);
    expect(await alice.refs()).toBe(refs);
  });

  it(`removes what was pushed, after --dry-run showed it; a session comes back when it grows`, async () => {
    const {alice} = await makeKept();
    await alice.ok(`push`);
    const refs = await alice.refs();
    expect(await alice.json([`clean`, `--older-than`, `900y`])).toMatchObject({removed: [], kept: []});
    expect(await alice.json([`clean`, `--older-than`, `1h`, `--dry-run`])).toMatchObject({dryRun: true, removed: [SESSION]});
    expect(await alice.refs()).toBe(refs);

    expect(await alice.json([`clean`, `--older-than`, `1h`])).toMatchObject({removed: [SESSION], kept: []});
    expect(await alice.refs()).not.toContain(SESSION);
    expect(await alice.rollouts()).toHaveLength(1);
    expect(await fs.readFile(alice.transcript(), `utf8`)).toContain(`Warenkorb`);
    expect(await alice.json([`sync`])).toMatchObject({synced: [], unchanged: 1});
    await grow(alice);
    await alice.ok(`sync`);
    expect(await alice.refs()).toContain(SESSION);
    expect(await alice.rollouts()).toHaveLength(1);
  });

  it(`--force removes what was not pushed, --mirrors a mirror that nobody touched`, async () => {
    const {alice} = await makeKept();
    expect(await alice.json([`clean`, `--older-than`, `1h`, `--force`, `--mirrors`])).toMatchObject({removed: [SESSION]});
    const [index, ...others] = (await alice.refs()).trimEnd().split(`\n`);
    expect(index).toMatch(/^refs\/session-sync\/index\//);
    expect(others).toEqual([]);
    expect(await alice.git(`ls-tree`, `-r`, index!.split(` `)[1]!)).toBe(``);
    expect(await alice.rollouts()).toEqual([]);
  });

  it(`names a mirror that cannot be removed, and goes on`, async () => {
    const {alice, world} = await makeKept();
    const [rollout] = await alice.rollouts();
    await fs.chmod(path.dirname(rollout!), 0o555);
    const {exitCode, stderr} = await unprivileged(world, async () => await alice.cli(`clean`, `--older-than`, `1h`, `--force`, `--mirrors`));
    expect({exitCode, stderr}).toEqual({exitCode: 0, stderr: expect.stringMatching(/^ {2}the mirror in codex stays: EACCES: permission denied, unlink .*\n$/)});
    await fs.chmod(path.dirname(rollout!), 0o755);
    // It was cleaned as a whole: nothing comes back before it grows.
    expect(await unprivileged(world, async () => await alice.json([`sync`]))).toMatchObject({synced: [], unchanged: 1});
    expect(await alice.rollouts()).toEqual([rollout]);
  });
});

describe(`doctor`, () => {
  it(`finds everything in order where it is`, async () => {
    const {alice} = await makeKept();
    expect(await alice.ok(`doctor`)).toContain(`Everything is in order.`);
  });

  it(`names each thing that keeps sessions from being kept, exit code 1`, async () => {
    const {alice} = await makeKept();
    const problems = async () => {
      const {exitCode, stdout} = await alice.cli(`doctor`, `--json`);
      const {findings} = JSON.parse(stdout).data;
      const found = findings.filter(({level}: {level: string}) => level === `problem`).map(({message}: {message: string}) => message).join(`\n`);
      expect(exitCode).toBe(found === `` ? 0 : 1);
      return found;
    };

    const settings = path.join(alice.repo, `.claude/settings.json`);
    const text = await fs.readFile(settings, `utf8`);
    await fs.writeFile(settings, `{}`);
    expect(await problems()).toContain(`hooks are not registered`);
    await fs.writeFile(settings, JSON.stringify({hooks: {Stop: JSON.parse(text).hooks.Stop}}));
    expect(await problems()).toContain(`hooks are registered in part`);
    await fs.writeFile(settings, `{`);
    expect(await problems()).toContain(`no valid JSON`);
    await fs.writeFile(settings, text);

    const hook = path.join(alice.world, `bin/session-sync-hook`);
    await fs.rename(hook, `${hook}.away`);
    expect(await problems()).toContain(`session-sync-hook is not on PATH`);
    await fs.rename(`${hook}.away`, hook);

    await fs.writeFile(path.join(alice.home, `.codex/config.toml`), `model_provider = [`);
    expect(await problems()).toContain(`config.toml`);
    await fs.rm(path.join(alice.home, `.codex/config.toml`));

    const event = path.join(alice.repo, `.git/session-sync/spool/claude-code.1`);
    await fs.writeFile(event, `{}`);
    await fs.utimes(event, 1000, 1000);
    expect(await problems()).toContain(`1 events wait`);
    await fs.rm(event);

    await fs.truncate(alice.transcript(), 700);
    expect((await alice.cli(`sync`)).exitCode).toBe(2);
    expect(await problems()).toContain(`was rewritten`);
  });

  it(`says that the clone takes no part`, async () => {
    const {alice} = await makeWorld();
    const {exitCode, stdout} = await alice.cli(`doctor`);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`PROBLEM setup: not set up in this clone`);
  });
});
