import {existsSync}            from 'node:fs';
import path                    from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';

import {agentsAreHere, claudeReceives, codexReceives, runClaude} from './_agents.ts';
import {compare}               from './_compare.ts';
import {mirrorOf, names, transcriptOf, twoMachines} from './_journey.ts';
import type {Script}           from './_model.ts';
import {jsonLines}             from './_world.ts';
import type {Machine, World}   from './_world.ts';

/** Records in which Claude Code 2.1.330 keeps what a hook printed or how it failed. */
async function tracesOfHooks(machine: Machine, session: string): Promise<Array<string>> {
  const lines = await jsonLines(transcriptOf(machine, session));
  return lines.flatMap(line => {
    if (line.type === `attachment` && String(line.attachment?.type).startsWith(`hook_`))
      return [JSON.stringify(line.attachment)];
    // Written for every Stop where a Stop hook is registered, whatever that does.
    if (line.type === `system` && line.subtype === `stop_hook_summary`)
      return line.hookErrors?.length || line.hasOutput || line.preventedContinuation ? [JSON.stringify(line)] : [];
    return [];
  });
}

const manyCalls = (count: number): Script => ({
  turns: [
    ...Array.from({length: count}, (_, index) => ({calls: [{name: `Bash`, input: {command: `echo ${index}`}}]})),
    {text: `Counted.`},
  ],
});

describe.runIf(agentsAreHere())(`the hooks in Claude Code`, () => {
  let world: World | undefined;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
    world = undefined;
  });

  test(`leave no trace in the session, and nothing for the model`, async () => {
    const {alice, ...rest} = await twoMachines();
    ({world} = rest);
    const run = await runClaude(alice, {prompt: `Count, please`, script: manyCalls(20)});
    expect(run).toMatchObject({exitCode: 0, stderr: ``, result: `Counted.`});
    expect(await tracesOfHooks(alice, run.session!)).toEqual([]);
    expect(JSON.stringify(run.requests)).not.toMatch(/session-sync-hook|hook success|hook feedback/i);

    await alice.settled();
    const source = await claudeReceives(alice, run.session!);
    expect(source.filter(item => item.kind === `call`)).toHaveLength(20);
    expect(compare(source, await codexReceives(alice, await mirrorOf(alice)), names(run.session!, alice, alice))).toEqual({missing: [], extra: []});
  });

  test(`do nothing for somebody who does not have the program`, async () => {
    const {remote, ...rest} = await twoMachines();
    ({world} = rest);
    const carol = await world.machine({user: `carol`, home: `home/carol`, project: `shop`, program: false});
    await carol.cloneProject(remote);
    expect(await carol.run(`sh`, [`-c`, `command -v session-sync-hook`])).toMatchObject({stdout: ``});
    expect(existsSync(path.join(carol.project, `.claude`, `settings.json`))).toBe(true);

    const run = await runClaude(carol, {prompt: `Count, please`, script: manyCalls(3)});
    expect(run).toMatchObject({exitCode: 0, stderr: ``, result: `Counted.`});
    expect(await tracesOfHooks(carol, run.session!)).toEqual([]);
    expect(existsSync(path.join(carol.project, `.git`, `session-sync`))).toBe(false);
    expect(await carol.git(`status`, `--porcelain`)).toBe(``);
  });
});
