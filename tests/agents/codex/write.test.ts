import {describe, expect, it}                       from 'vitest';

import {open, parse, place, prompt, result, target, write} from './_session.ts';

describe(`the first line`, () => {
  it(`names the session, the folder, the provider and the commit`, () => {
    const header = {...target.header, branch: `main`, commit: `97ff04d61d1142758447af6090dbcfa5967e572b`, origin: `https://alice:secret@example.com/shop.git`};
    const text = open(undefined, {header}).begin();

    expect(text.endsWith(`\n`)).toBe(true);
    expect(parse(text)).toEqual([{
      timestamp: `2026-11-20T10:00:00.000Z`,
      type: `session_meta`,
      payload: {
        id: target.id,
        session_id: target.id,
        timestamp: `2026-11-20T10:00:00.000Z`,
        cwd: `/home/alice/shop`,
        originator: `session-sync`,
        cli_version: `0.169.0`,
        source: `cli`,
        thread_source: `user`,
        model_provider: `openai`,
        git: {commit_hash: `97ff04d61d1142758447af6090dbcfa5967e572b`, branch: `main`, repository_url: `https://example.com/shop.git`},
      },
    }]);
  });

  it(`has no git where nothing is known`, () => {
    expect(parse(open().begin())[0]!.payload).not.toHaveProperty(`git`);
  });
});

describe(`prompts and replies`, () => {
  it(`are written once for the model and once for the person, with turns around them`, () => {
    const {lines} = write(prompt(`Fix it`), {kind: `reply`, text: `Looking.`}, {kind: `reply`, text: `Done.`, final: true}, prompt(`Thanks`));

    expect(lines.map(({type, payload}) => [type, payload.type, payload.message ?? payload.content?.[0].text ?? payload.last_agent_message])).toEqual([
      [`event_msg`, `task_started`, undefined],
      [`response_item`, `message`, `Fix it`],
      [`event_msg`, `user_message`, `Fix it`],
      [`event_msg`, `agent_message`, `Looking.`],
      [`response_item`, `message`, `Looking.`],
      [`event_msg`, `agent_message`, `Done.`],
      [`response_item`, `message`, `Done.`],
      [`event_msg`, `task_complete`, `Done.`],
      [`event_msg`, `task_started`, undefined],
      [`response_item`, `message`, `Thanks`],
      [`event_msg`, `user_message`, `Thanks`],
    ]);
    expect(lines[5]!.payload.phase).toBe(`final_answer`);
    expect(lines[6]!.payload).toMatchObject({role: `assistant`, content: [{type: `output_text`}], phase: `final_answer`});
    expect(lines[0]!.payload.turn_id).not.toBe(lines[8]!.payload.turn_id);
    expect(lines[7]!.payload.turn_id).toBe(lines[0]!.payload.turn_id);
  });

  it(`close a turn whose end the source did not mark when the next prompt comes`, () => {
    const {events} = write(prompt(`One`), {kind: `reply`, text: `Yes`}, prompt(`Two`));
    expect(events.map(({type}) => type)).toEqual([`task_started`, `user_message`, `agent_message`, `task_complete`, `task_started`, `user_message`]);
    expect(events[3]!.last_agent_message).toBe(`Yes`);
  });

  it(`typed while the model works stay in the turn`, () => {
    const {events} = write(prompt(`One`), {kind: `prompt`, content: [{type: `text`, text: `And this`}], midTurn: true}, {kind: `reply`, text: `Yes`, final: true});
    expect(events.map(({type}) => type)).toEqual([`task_started`, `user_message`, `user_message`, `agent_message`, `task_complete`]);
  });

  it(`carry images, and name those that they cannot carry`, () => {
    const {items, events, report} = write({kind: `prompt`, content: [
      {type: `image`, mediaType: `image/png`, data: `AAAA`},
      {type: `image`, mediaType: `image/png`, attachment: `00`, bytes: 12},
      {type: `image`, mediaType: `image/svg+xml`, data: `AAAA`},
    ]});

    expect(items[0]!.content).toEqual([
      {type: `input_image`, image_url: `data:image/png;base64,AAAA`},
      {type: `input_text`, text: `[image: image/png, 12 bytes; not carried over]`},
      {type: `input_text`, text: `[image: image/svg+xml; not carried over]`},
    ]);
    expect(events.find(({type}) => type === `user_message`)!.message).toBe(`[Image #1]`);
    expect(report).toMatchObject({kept: 0, reduced: 1, dropped: 0});
  });

  it(`that hold Codex's own heading are told to the model as they are, and still give a title`, () => {
    const {items, events} = write(prompt(`Look at ## My request for Codex:`));
    expect(items[0]!.content[0].text).toBe(`Look at ## My request for Codex:`);
    expect(events[1]!.message).toBe(`Look at ##\u00a0My request for Codex:`);
  });

  it(`without text are left out`, () => {
    const {text, report} = write(prompt(` \n`), {kind: `reply`, text: ``});
    expect(text).toBe(``);
    expect(report).toMatchObject({dropped: 2, items: [{kind: `prompt`, reason: `empty`, seq: 0}, {kind: `reply`, reason: `empty`, seq: 1}]});
  });

  it(`with half a surrogate pair become lines that Codex can read`, () => {
    const {text, items} = write(prompt(`a\ud800b`));
    expect(text).not.toMatch(/\\ud8/);
    expect(items[0]!.content[0].text).toBe(`a\ufffdb`);
  });
});

describe(`other records`, () => {
  it(`show thinking and keep it from the model`, () => {
    const {items, events, report} = write(prompt(`x`), {kind: `reasoning`, text: `Hm.`, signature: `s`}, {kind: `reasoning`, text: ``});
    expect(items).toHaveLength(1);
    expect(events.at(-1)).toEqual({type: `agent_reasoning`, text: `Hm.`});
    expect(report).toMatchObject({kept: 1, reduced: 1, dropped: 1});
  });

  it(`tell the model of an interrupt as Codex does`, () => {
    const {items, events} = write(prompt(`x`), {kind: `interrupt`, during: `reply`, text: `[Request interrupted by user]`}, prompt(`y`));
    expect(items[1]!.content[0].text).toMatch(/^<turn_aborted>\nThe user interrupted .*\n\[Request interrupted by user\]\n<\/turn_aborted>$/);
    expect(events.map(({type}) => type)).toEqual([`task_started`, `user_message`, `turn_aborted`, `task_started`, `user_message`]);
    expect(events[2]).toMatchObject({turn_id: events[0]!.turn_id, reason: `interrupted`});
  });

  it(`carry notes that the model saw and leave out the others`, () => {
    const {items, events, report} = write({kind: `note`, what: `bash`, visible: true, text: `<bash-stdout>a</bash-stdout>`}, {kind: `note`, what: `environment`, bytes: 9}, {kind: `model`, model: `m`});
    expect(items).toEqual([{type: `message`, role: `user`, content: [{type: `input_text`, text: `<bash-stdout>a</bash-stdout>`}]}]);
    expect(events).toEqual([]);
    expect(report).toMatchObject({kept: 1, dropped: 2});
  });

  it(`show a plan`, () => {
    const {events} = write(prompt(`x`), {kind: `plan`, items: [{step: `a`, status: `completed`}, {step: `b`, status: `in_progress`}]});
    expect(events.at(-1)).toMatchObject({type: `item_completed`, turn_id: events[0]!.turn_id, item: {type: `Plan`, id: `plan-1`, text: `- [x] a\n- [ ] b (in progress)`}});
  });

  it(`give the title that a person chose, else the newest, without control characters`, () => {
    const writer = open();
    expect(writer.title()).toBeUndefined();
    for (const record of place(
      {kind: `title`, title: `one`, origin: `generated`},
      {kind: `title`, title: `\u001b[31mt\nwo`, origin: `custom`},
      {kind: `title`, title: `three`, origin: `generated`},
    ))
      writer.push(record);
    expect(writer.title()).toBe(`t wo`);
    expect(writer.updated()).toBe(`2026-11-20T10:00:02.000Z`);
  });
});

describe(`compaction`, () => {
  const reply = {kind: `reply`, text: `kept`} as const;

  it(`gives the model the summary and what is kept, in this order`, () => {
    const {lines, report} = write(prompt(`old`), prompt(`new`), reply, {kind: `compaction`, summary: `We did it.`, keep: [1, 2]});
    const compacted = lines.find(({type}) => type === `compacted`)!.payload;

    expect(compacted.replacement_history.map((item: any) => [item.role, item.content[0].text])).toEqual([
      [`user`, compacted.message], [`user`, `new`], [`assistant`, `kept`],
    ]);
    expect(compacted.message).toMatch(/^Another language model started .*:\nWe did it\.$/s);
    expect(lines.at(-1)!.payload).toEqual({type: `context_compacted`});
    expect(report).toMatchObject({kept: 4, reduced: 0});
  });

  it(`says so when a kept record lies too far back`, () => {
    const {report} = write(prompt(`first`), ...Array.from({length: 200}, () => reply), {kind: `compaction`, summary: `s`, keep: [0, 200]});
    expect(report).toMatchObject({reduced: 1, items: [{kind: `compaction`, outcome: `reduced`, seq: 201}]});
  });

  it(`takes kept records that come after it, as when a history begins there`, () => {
    const [first, second, compaction] = place(prompt(`old`), reply, {kind: `compaction`, summary: `s`, keep: [1]});
    const writer = open();
    const lines = parse([compaction!, second!].map(record => writer.push(record)).join(``));

    expect(lines.map(({payload}) => payload.type)).toEqual([`user_message`, undefined, `context_compacted`, `task_started`, `agent_message`, `message`]);
    expect(writer.report()).toMatchObject({kept: 2, reduced: 0});
    expect(first!.seq).toBe(0);
  });
});

describe(`what a session needs to be listed`, () => {
  it(`is shown before Codex stops looking for it`, () => {
    const writer = open();
    let text = writer.begin();
    for (let seq = 0; seq < 400; seq += 1)
      text += writer.push({seq, kind: `note`, what: `hook`, visible: true, text: `note ${seq}`});
    text += writer.push({seq: 400, kind: `prompt`, content: [{type: `text`, text: `late`}]});

    const shown = parse(text).findIndex(({payload}) => payload.type === `user_message`);
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(205);
  });

  it(`is added at the end of a session without a prompt`, () => {
    const writer = open();
    writer.push({seq: 0, kind: `reply`, text: `hello`});
    expect(parse(writer.end()).map(({payload}) => payload.type)).toEqual([`task_complete`, `user_message`]);
  });
});

describe(`the end`, () => {
  it(`answers open calls and closes the turn, and what comes later is reported`, () => {
    const {writer} = write(prompt(`x`), {kind: `call`, call: `c`, name: `Bash`, tool: `shell`, input: {command: `ls`}, args: {command: `ls`}});
    const lines = parse(writer.end());
    expect(lines.map(({payload}) => payload.type)).toEqual([`mcp_tool_call_end`, `function_call_output`, `task_complete`]);
    expect(lines[1]!.payload).toMatchObject({call_id: `c`, output: `aborted`});

    expect(writer.push({seq: 2, ...result(`c`, `late`)} as never)).toBe(``);
    expect(writer.push({seq: 3, ...result(`never`, `?`)} as never)).toBe(``);
    expect(writer.report()).toMatchObject({dropped: 2, items: [{reason: `came when its call had been given up`}, {reason: `its call is not in this history`}]});
    expect(writer.end()).toBe(``);
  });
});
