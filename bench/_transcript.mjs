// A transcript of Claude Code of any size, in the shapes that 2.1.330 writes, the same in every run.
import {closeSync, openSync, writeSync} from 'node:fs';

/** Numbers from 0 to 1 that look random and are always the same (mulberry32). */
function numbers(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

const WORDS = `cart total price stock order customer refund invoice the a of and to is in when returns after before each item list empty null value check test fails passes function const export import from async await error retry cache query index route render state props hook größe preis`.split(` `);

/** Writes turns to a file until it has `bytes` bytes. `turn()` appends one more and resolves to its events for the hook. */
export class Transcript {
  constructor(path, {session, cwd, bytes, seed = 1}) {
    Object.assign(this, {path, session, cwd, written: 0, serial: 0, parent: null, random: numbers(seed)});
    const file = openSync(path, `a`, 0o600);
    while (this.written < bytes)
      this.written += writeSync(file, this.turn());
    closeSync(file);
  }

  /** Lines of one more turn: a prompt, some calls with results, an answer. */
  turn() {
    const lines = [];
    lines.push(this.line(`user`, {promptSource: `sdk`, origin: {kind: `human`}, message: {role: `user`, content: this.prose(20, 60)}}));
    const calls = 3 + Math.floor(this.random() * 6);
    for (let i = 0; i < calls; i++) {
      if (this.random() < 0.4)
        lines.push(this.assistant({type: `text`, text: this.prose(10, 80)}));
      lines.push(...this.call());
    }
    lines.push(this.assistant({type: `text`, text: this.prose(40, 200)}));
    return lines.map(line => `${JSON.stringify(line)}\n`).join(``);
  }

  call() {
    const id = `toolu_${this.id(24)}`;
    const kind = this.random();
    const file = `${this.cwd}/src/${this.word()}/${this.word()}.js`;
    const [name, input, text, toolUseResult] = kind < 0.45 ? this.bash() : kind < 0.8 ? this.read(file) : this.edit(file);
    const call = this.assistant({type: `tool_use`, id, name, input});
    const result = this.line(`user`, {
      message: {role: `user`, content: [{type: `tool_result`, tool_use_id: id, content: text, is_error: false}]},
      toolUseResult, sourceToolAssistantUUID: call.uuid,
    });
    return [call, result];
  }

  bash() {
    const stdout = Array.from({length: 5 + Math.floor(this.random() * 80)}, () => `${this.id(8)} ${this.prose(3, 12)}`).join(`\n`);
    return [`Bash`, {command: `npm test -- ${this.word()}`, description: this.prose(2, 5)}, stdout, {stdout, stderr: ``, interrupted: false, isImage: false, noOutputExpected: false}];
  }

  read(filePath) {
    const lines = this.code(20 + Math.floor(this.random() * 120));
    const content = lines.join(`\n`);
    return [`Read`, {file_path: filePath}, lines.map((line, index) => `${index + 1}\t${line}`).join(`\n`), {type: `text`, file: {filePath, content, numLines: lines.length, startLine: 1, totalLines: lines.length}}];
  }

  edit(filePath) {
    const [before, after] = [this.code(4), this.code(5)];
    const [oldString, newString] = [before.join(`\n`), after.join(`\n`)];
    const originalFile = [...this.code(60), ...before, ...this.code(60)].join(`\n`);
    const hunk = {oldStart: 61, oldLines: 4, newStart: 61, newLines: 5, lines: [...before.map(line => `-${line}`), ...after.map(line => `+${line}`)]};
    return [`Edit`, {file_path: filePath, old_string: oldString, new_string: newString, replace_all: false}, `The file ${filePath} has been updated successfully.`,
      {filePath, oldString, newString, originalFile, structuredPatch: [hunk], userModified: false, replaceAll: false}];
  }

  assistant(block) {
    return this.line(`assistant`, {
      requestId: `req_${this.id(24)}`,
      message: {id: `msg_${this.id(24)}`, type: `message`, role: `assistant`, model: `claude-sonnet-4-5`, content: [block], stop_reason: block.type === `tool_use` ? `tool_use` : `end_turn`, stop_sequence: null,
        usage: {input_tokens: 1000, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 100, service_tier: `standard`}},
    });
  }

  line(type, rest) {
    const uuid = `${this.id(8)}-${this.id(4)}-4${this.id(3)}-8${this.id(3)}-${this.id(12)}`;
    const line = {
      parentUuid: this.parent, isSidechain: false, type, uuid, timestamp: new Date(1795168800000 + 1000 * this.serial++).toISOString(),
      userType: `external`, entrypoint: `cli`, cwd: this.cwd, sessionId: this.session, version: `2.1.330`, gitBranch: `main`, ...rest,
    };
    this.parent = uuid;
    return line;
  }

  code(count) {
    return Array.from({length: count}, () => `${`  `.repeat(Math.floor(this.random() * 4))}const ${this.word()} = ${this.word()}(${this.prose(1, 5).replaceAll(` `, `, `)});`);
  }

  prose(least, most) {
    return Array.from({length: least + Math.floor(this.random() * (most - least))}, () => this.word()).join(` `);
  }

  word() {
    return WORDS[Math.floor(this.random() * WORDS.length)];
  }

  id(length) {
    let id = ``;
    while (id.length < length)
      id += Math.floor(this.random() * 16).toString(16);
    return id;
  }
}
