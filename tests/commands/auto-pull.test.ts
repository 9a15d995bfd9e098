import * as fs                               from 'node:fs/promises';
import path                                  from 'node:path';
import {afterEach, describe, expect, it, vi} from 'vitest';

import {SESSION, grow, makeKept}             from './_runCli.ts';
import {outcome, settled, work}              from './_auto.ts';

// Real pulls beside one another, on a machine that may be busy.
vi.setConfig({testTimeout: 180_000});

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0))
    await end();
});

/** alice has pushed her session; bob has a clone that fetches sessions by itself. */
async function shared() {
  const made = await makeKept();
  ends.push(async () => await settled(made.world));
  const {alice, bob, remote} = made;
  await alice.ok(`push`);
  await bob.git(`clone`, `-q`, remote, bob.repo);
  await bob.ok(`init`, `--auto-pull`);
  const known = async () => (await bob.git(`for-each-ref`, `--format=%(refname) %(objectname)`, `refs/session-sync-remotes/`)).split(`\n`).filter(line => line.includes(SESSION));
  /** alice's session and her branch have grown. */
  const news = async () => {
    await grow(alice);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await work(alice);
    await alice.git(`push`, `-q`, `origin`, `HEAD:main`);
  };
  return {...made, known, news};
}

describe(`init --auto-pull`, () => {
  it(`fetches sessions after a pull that merged, was a fast-forward, or rebased; beside the person`, async () => {
    const {alice, bob, world, known, news} = await shared();
    expect(await known()).toEqual([]);
    let before: Array<string> = [];
    for (const [how, own] of [[`--ff-only`, false], [`--no-rebase`, true], [`--rebase`, true], [`--rebase`, false]] as const) {
      await news();
      if (own)
        await work(bob, `Bob's own`);
      expect(await bob.program(`git`, `pull`, `-q`, `--no-edit`, how, `origin`, `main`), how).toEqual({exitCode: 0, stdout: ``, stderr: ``});
      await settled(world);
      const after = await known();
      expect(after, how).toHaveLength(1);
      expect(after, how).not.toEqual(before);
      before = after;
    }
    expect(await outcome(bob, `pull`)).toMatchObject({remote: `origin`, refs: expect.any(Number)});
    expect(await bob.ok(`status`)).toMatch(/^Automatic: sessions come from origin after your git pull \(last .*\)\.$/m);
    expect((await bob.cli(`doctor`)).exitCode).toBe(0);

    // What has nothing to do with a fetch starts none.
    const last = await outcome(bob, `pull`);
    await news();
    await bob.git(`checkout`, `-q`, `-b`, `topic`);
    await work(bob);
    await bob.git(`commit`, `-q`, `--amend`, `-m`, `amended`);
    await bob.git(`checkout`, `-q`, `main`);
    await bob.git(`merge`, `-q`, `topic`);
    await settled(world);
    expect(await outcome(bob, `pull`)).toEqual(last);
    expect(await known()).toEqual(before);

    await bob.ok(`init`, `--no-auto-pull`);
    await bob.git(`pull`, `-q`, `--no-rebase`, `--no-edit`, `origin`, `main`);
    await settled(world);
    expect(await known()).toEqual(before);
    expect((await fs.readdir(path.join(bob.repo, `.git/hooks`))).filter(name => !name.endsWith(`.sample`))).toEqual([]);
    void alice;
  });

  it(`makes up for a bare fetch when somebody looks at sessions`, async () => {
    const {bob, world, known, news} = await shared();
    await bob.ok(`list`);
    const first = await known();
    expect(first).toHaveLength(1);

    // Nothing was fetched since: nothing is asked of the remote.
    await news();
    await bob.ok(`list`);
    expect(await known()).toEqual(first);
    await bob.git(`fetch`, `-q`);
    await settled(world);
    expect(await known()).toEqual(first);
    expect(await bob.json([`list`])).toMatchObject({sessions: [{session: SESSION}]});
    expect(await known()).not.toEqual(first);

    // A remote that is gone keeps nobody from looking.
    await bob.ok(`init`, `--remote`, path.join(world, `gone.git`));
    await bob.git(`fetch`, `-q`, `origin`);
    expect((await bob.json([`list`])).sessions).toHaveLength(1);
  });

  it(`says what failed, and does not touch the user's pull`, async () => {
    const {bob, world, news} = await shared();
    await bob.ok(`init`, `--remote`, path.join(world, `gone.git`));
    await news();
    expect(await bob.program(`git`, `pull`, `-q`, `origin`, `main`)).toEqual({exitCode: 0, stdout: ``, stderr: ``});
    await settled(world);
    expect(await outcome(bob, `pull`)).toMatchObject({remote: `session-sync`, problem: expect.stringContaining(`does not appear to be a git repository`)});
    expect(await bob.ok(`status`)).toMatch(/sessions come from session-sync after your git pull \(FAILED/);
    await bob.git(`config`, `--remove-section`, `remote.session-sync`);
    expect(await bob.cli(`doctor`)).toMatchObject({exitCode: 1, stdout: expect.stringContaining(`there is no remote of that name`)});
  });
});
