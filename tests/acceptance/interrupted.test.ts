import {afterEach, describe, expect, test} from 'vitest';

import {agentsAreHere, claudeReceives, codexReceives, runClaude} from './_agents.ts';
import {compare}               from './_compare.ts';
import {mirrorOf, names, transcriptOf, twoMachines} from './_journey.ts';
import {jsonLines}             from './_world.ts';
import type {World}            from './_world.ts';

describe.runIf(agentsAreHere())(`a turn that is interrupted`, () => {
  let world: World | undefined;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
    world = undefined;
  });

  test(`reaches Codex with the next event, although no Stop fires for it`, async () => {
    const {alice, ...rest} = await twoMachines();
    ({world} = rest);
    // An id of our own: an interrupted run prints none.
    const session = `5e551000-0000-4000-8000-00000000000a`;
    await runClaude(alice, {
      prompt: `unterbrich mich ü`,
      session,
      script: {turns: [
        {text: `Start`, calls: [{name: `Bash`, input: {command: `echo eins`}}]},
        {text: `A text that is cut off somewhere in its middle, long enough to be streamed in several pieces`, hang: true},
      ]},
      interruptAtRequest: 2,
    });
    const transcript = JSON.stringify(await jsonLines(transcriptOf(alice, session)));
    expect(transcript).toContain(`[Request interrupted by user]`);

    const next = await runClaude(alice, {prompt: `Go on then`, resume: session, script: {turns: [{text: `Gone on.`}]}});
    expect(next).toMatchObject({exitCode: 0, session});
    await alice.settled();

    const source = await claudeReceives(alice, session);
    expect(source.map(item => item.kind)).toContain(`result`);
    const received = await codexReceives(alice, await mirrorOf(alice));
    expect(compare(source, received, names(session, alice, alice))).toEqual({missing: [], extra: []});
    // The part that had been streamed is part of the history.
    expect(received.some(item => item.kind === `reply` && item.text.startsWith(`A text that is cut off`))).toBe(true);
  });

  test(`loses nothing when a tool is interrupted`, async () => {
    const {alice, ...rest} = await twoMachines();
    ({world} = rest);
    const session = `5e551000-0000-4000-8000-00000000000b`;
    await runClaude(alice, {
      prompt: `Warte lange`,
      session,
      script: {turns: [{text: `Waiting`, calls: [{name: `Bash`, input: {command: `node -e 'setTimeout(() => {}, 20000)'`}}]}]},
      interruptAtRequest: 1,
    });
    const next = await runClaude(alice, {prompt: `Enough`, resume: session, script: {turns: [{text: `Stopped waiting.`}]}});
    expect(next).toMatchObject({exitCode: 0, session});
    await alice.settled();
    expect(compare(await claudeReceives(alice, session), await codexReceives(alice, await mirrorOf(alice)), names(session, alice, alice))).toEqual({missing: [], extra: []});
  });
});
