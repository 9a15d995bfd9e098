import {afterEach, describe, expect, test} from 'vitest';

import {agentsAreHere, claudeReceives, codexReceives, codexThread} from './_agents.ts';
import {compare}               from './_compare.ts';
import {carryOver, fixtureNames, fixtureProject, mirrorOf, names, placeFixture, resumeIdIn, succeeded, twoMachines} from './_journey.ts';
import type {World}            from './_world.ts';

const NOTHING = {missing: [], extra: []};

describe.runIf(agentsAreHere())(`recorded sessions of Claude Code`, () => {
  let world: World | undefined;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
    world = undefined;
  });

  test.each(fixtureNames())(`%s is the same for Codex here, and for both agents elsewhere`, async name => {
    const {alice, bob, remote, ...rest} = await twoMachines(await fixtureProject(name));
    ({world} = rest);
    const session = await placeFixture(alice, name);
    succeeded(await alice.sessionSync(`sync`));
    await alice.settled();

    const source = await claudeReceives(alice, session);
    expect(source.length).toBeGreaterThan(0);
    const mirror = await mirrorOf(alice);
    expect(compare(source, await codexReceives(alice, mirror), names(session, alice, alice)), `Codex on the same machine`).toEqual(NOTHING);
    const {listed, thread} = await codexThread(alice, mirror);
    expect({listed, titled: Boolean(thread.title)}).toEqual({listed: true, titled: true});

    await carryOver(alice, bob, remote);
    const id = resumeIdIn(succeeded(await bob.sessionSync(`restore`, session, `--agent`, `codex`)), `codex`);
    expect(compare(source, await codexReceives(bob, id), names(session, alice, bob)), `Codex on the other machine`).toEqual(NOTHING);
    succeeded(await bob.sessionSync(`restore`, session, `--agent`, `claude-code`));
    expect(compare(source, await claudeReceives(bob, session), names(session, alice, bob)), `Claude Code on the other machine`).toEqual(NOTHING);
  });
});
