// A remote of a whole team, for tests and benches: thousands of sessions of many writers, as their pushes would leave it.
import {spawnSync}                                        from 'node:child_process';
import {createHash}                                       from 'node:crypto';
import {closeSync, mkdirSync, openSync, rmSync, writeSync} from 'node:fs';

const AGENTS   = [`claude-code`, `codex`, `opencode`, `gemini`, `pi`];
const BRANCHES = [`main`, `fix/cart-total`, `feature/search`, `release-2026`, `team/checkout/with/a/long/name`];
const WORDS    = `cart total price order search index login token cache query table button style layout test error retry queue worker parse format`.split(` `);
/** The newest session ends here; each one before it 40 minutes earlier: 10,000 are nine months. */
const LAST = Date.parse(`2026-11-01T12:00:00.000Z`);
const STEP = 40 * 60_000;

const hash = text => createHash(`sha256`).update(text).digest();
const pick = (list, bytes, at) => list[bytes[at % bytes.length] % list.length];
const writerOf = number => hash(`writer ${number}`).toString(`hex`).slice(0, 16);

export function makeRemote(folder, {env, sessions, writers = 50, commits = 50, bytes = 2000}) {
  mkdirSync(folder, {recursive: true});
  const git = (args, options = {}) => {
    const {status, stdout, stderr} = spawnSync(`git`, args, {cwd: folder, env, maxBuffer: 1 << 28, encoding: `utf8`, ...options});
    if (status !== 0)
      throw new Error(`git ${args.join(` `)}: ${stderr}`);
    return stdout;
  };
  const fastImport = write => {
    const file = `${folder}.import`;
    const output = openSync(file, `w`, 0o600);
    let text = ``;
    write(piece => {
      text += piece;
      if (text.length > 1 << 20) {
        writeSync(output, text);
        text = ``;
      }
    });
    writeSync(output, text);
    closeSync(output);
    const input = openSync(file, `r`);
    git([`fast-import`, `--quiet`, `--force`], {stdio: [input, `ignore`, `pipe`]});
    closeSync(input);
    rmSync(file);
  };
  const data = text => `data ${Buffer.byteLength(text)}\n${text}\n`;

  git([`init`, `-q`, `--bare`, `-b`, `main`]);
  const all = Array.from({length: sessions}, (_, number) => describe(number, writers, bytes));
  fastImport(write => {
    for (let at = 0; at < commits; at++)
      write(`commit refs/heads/main\ncommitter Alice <alice@example.org> ${1_760_000_000 + at * 3600} +0000\n${data(`Change ${at}`)}M 100644 inline src/${pick(WORDS, hash(`file ${at}`), 0)}.js\n${data(prose(`main ${at}`, 2000))}\n`);
    for (const {ref, session, writer, header, lines} of all) {
      const json = JSON.stringify(header);
      write(`commit ${ref}\nauthor ${header.author.name} <${header.author.email}> ${Date.parse(header.updated) / 1000} +0000\ncommitter session-sync <session-sync@localhost> 1 +0000\n${data(`${header.agent.id} session ${session.slice(0, 8)}`)}`
        + `M 100644 inline header.json\n${data(json)}M 100644 inline rec/${writer}/main/0000/00\n${data(lines)}M 100644 inline native/${writer}/${header.agent.id}/${session}.jsonl/0000/00\n${data(lines)}\n`);
    }
  });

  const oids = new Map(git([`for-each-ref`, `--format=%(refname) %(objectname)`, `refs/session-sync/s`]).trim().split(`\n`).map(line => line.split(` `)));
  for (const one of all)
    one.commit = oids.get(one.ref);
  fastImport(write => {
    for (let number = 0; number < writers; number++) {
      const writer = writerOf(number);
      const own = all.filter(one => one.writer === writer);
      if (own.length === 0)
        continue;
      write(`commit refs/session-sync/index/${writer}\ncommitter session-sync <session-sync@localhost> 1 +0000\n${data(`session-sync index: ${own.length} sessions`)}`);
      for (const {session, commit, header} of own)
        write(`M 100644 inline h/${session.slice(0, 2)}/${session}.json\n${data(JSON.stringify({commit, header}))}`);
      write(`\n`);
    }
  });
  git([`pack-refs`, `--all`]);
  git([`repack`, `-adq`]);
  return all.map(({lines: _, ...one}) => one);
}

export function withoutSessions(folder, remote, env) {
  const {status, stderr} = spawnSync(`git`, [`clone`, `-q`, `--bare`, `--no-local`, remote, folder], {env, encoding: `utf8`});
  if (status !== 0)
    throw new Error(`git clone: ${stderr}`);
}

function describe(number, writers, bytes) {
  const random = hash(`session ${number}`);
  const updated = LAST - number * STEP;
  const agent = pick(AGENTS, random, 0);
  // Some agents begin their ids with the time: those of one minute are alike in more than eight characters.
  const head = agent === `codex` ? `019${(Math.floor(updated / 86_400_000)).toString(16).padStart(5, `0`)}` : random.toString(`hex`, 0, 4);
  const hex = random.toString(`hex`);
  const session = `${head}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  const writer = writerOf(number % writers);
  const ref = `refs/session-sync/s/${session.slice(0, 2)}/${session}/${writer}`;
  const lines = records(number, bytes);
  const size = Buffer.byteLength(lines);
  const count = lines.split(`\n`).length - 1;
  const header = {
    format: `session-sync/1`, session, agent: {id: agent, version: `1.0.${number % 10}`, nativeId: session}, title: prose(`title ${number}`, 20 + random[1] % 40),
    created: new Date(updated - 3_600_000).toISOString(), updated: new Date(updated).toISOString(), model: `example-model`, roots: {root: `/home/alice/shop`, home: `/home/alice`, tmp: `/tmp`},
    platform: `linux`, branch: pick(BRANCHES, random, 2), commit: hex.slice(0, 40), dirty: random[3] % 2 === 0, origin: `git@example.com:shop.git`,
    author: {name: number % 2 === 0 ? `Alice` : `Bob`, email: number % 2 === 0 ? `alice@example.org` : `bob@example.org`}, machine: `machine-${number % writers}`,
    counts: {prompt: 1, reply: count - 1}, writer, sequence: 1,
    streams: {'rec/main': {bytes: size, records: count}, [`native/${agent}/${session}.jsonl`]: {bytes: size, source: size}},
  };
  return {session, writer, ref, header, lines};
}

function records(number, bytes) {
  let text = `${JSON.stringify({seq: 0, kind: `prompt`, content: [{type: `text`, text: prose(`prompt ${number}`, 60)}]})}\n`;
  for (let seq = 1; text.length < bytes; seq++)
    text += `${JSON.stringify({seq, kind: `reply`, content: [{type: `text`, text: prose(`${number} ${seq}`, 300)}]})}\n`;
  return text;
}

function prose(seed, length) {
  let text = ``;
  for (let at = 0; text.length < length; at++) {
    const bytes = hash(`${seed} ${at}`);
    for (let index = 0; index < 32 && text.length < length; index++)
      text += `${text === `` ? `` : ` `}${pick(WORDS, bytes, index)}${index % 8 === 7 ? bytes.toString(`hex`, index, index + 1) : ``}`;
  }
  return text;
}
