/**
 * What a line of JSON is made of, read off its text, so that all that is not replaced stays as it was, byte for byte.
 */

/** A string of the line. `start` and `end` lie between its quotes. */
export type Leaf = {
  start: number;
  end: number;
  /** It is the name of a field. */
  isKey: boolean;
  /** Name of the field that it is the value of, or that holds the array it stands in. */
  key: string;
  /** What the field `name` or `key` of the same object says, for `{"name": "API_KEY", "value": "…"}`. */
  sibling: string | null;
};

/**
 * Fields of transcripts (Claude Code, Codex, the neutral records) that name things. They tie records together, so only
 * a token with a shape of its own is taken out of them: no entropy, no copy of a value that was secret elsewhere.
 */
export const ID_KEYS: ReadonlySet<string> = new Set([
  `id`, `uuid`, `parentUuid`, `leafUuid`, `logicalParentUuid`, `headUuid`, `tailUuid`, `anchorUuid`, `uuids`, `allUuids`, `sourceToolAssistantUUID`,
  `sessionId`, `session_id`, `session`, `requestId`, `request_id`, `requestRef`, `promptId`, `prompt_id`, `messageId`, `message_id`, `interruptedMessageId`,
  `tool_use_id`, `toolUseId`, `toolUseID`, `parentToolUseID`, `agentId`, `agent_id`, `call`, `call_id`, `callId`, `turn_id`, `thread_id`, `threadId`,
  `response_id`, `previous_response_id`, `item_id`, `conversation_id`, `parent_thread_id`, `forked_from_id`, `process_id`, `hash`, `sha`, `sha256`, `commit`, `commit_hash`, `attachment`, `base`,
  `tail`, `type`, `kind`, `role`, `model`, `version`, `timestamp`, `time`, `stream`, `nativeId`, `parent`, `slug`, `cwd`, `integrity`, `checksum`, `etag`,
]);

/** Fields that hold ciphertext or proof of a provider: long base64 that only its maker can read. Nothing is looked for in them. */
export const OPAQUE_KEYS: ReadonlySet<string> = new Set([
  `signature`, `encrypted_content`, `thinkingSignature`, `thoughtSignature`, `thought_signature`, `redacted_thinking`, `data`, `base64`, `image_url`,
]);

/** Of these, the ones that anything else may use as well: only what is longer than any token. */
const AMBIGUOUS_KEYS: ReadonlySet<string> = new Set([`signature`, `data`, `base64`, `image_url`]);

const OPAQUE_VALUE = /^(?:data:[\w.+/-]{1,64};base64,)?[A-Za-z0-9+/_-]+={0,2}$/;

/** Ciphertext, or an image: the field says so and the value looks like it. A token under such a name is too short for that. */
export function isOpaque(key: string, text: string, start: number, end: number): boolean {
  if (!OPAQUE_KEYS.has(key) || end - start < (AMBIGUOUS_KEYS.has(key) ? 64 : 8))
    return false;
  if (key === `image_url` && !text.startsWith(`data:`, start))
    return false;
  // The pattern is tried on the ends of what is long: an image may have megabytes.
  if (key !== `image_url` && /^(?:gh[pousr]_|github_pat_|sk-|xox|glpat-|npm_|eyJ)/.test(text.slice(start, start + 12)))
    return false;
  return end - start < 4096
    ? OPAQUE_VALUE.test(text.slice(start, end))
    : OPAQUE_VALUE.test(text.slice(start, start + 1024)) && OPAQUE_VALUE.test(text.slice(end - 1024, end));
}

const MAX_NAME = 256;

/** Calls `visit` for each string of `text`, which must be JSON. Stops where it is not. */
export function eachString(text: string, visit: (leaf: Leaf) => void): void {
  // For each open object and array: the name it stands under; a negative marker is not needed, arrays pass theirs on.
  const names: Array<string> = [];
  const labels: Array<string | null> = [];
  const inObject: Array<boolean> = [];
  let key = ``;
  let expectsKey = false;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    switch (code) {
      case 0x22: {
        const start = at + 1;
        const end = closing(text, start);
        if (end === -1)
          return;
        const depth = labels.length - 1;
        if (expectsKey) {
          visit({start, end, isKey: true, key: ``, sibling: null});
          key = end - start <= MAX_NAME ? text.slice(start, end) : ``;
          expectsKey = false;
        } else {
          visit({start, end, isKey: false, key, sibling: key === `value` && depth >= 0 ? labels[depth]! : null});
          if ((key === `name` || key === `key`) && depth >= 0 && end - start <= MAX_NAME)
            labels[depth] = text.slice(start, end);
        }
        at = end + 1;
        continue;
      }
      case 0x7b:
      case 0x5b:
        names.push(key);
        labels.push(null);
        inObject.push(code === 0x7b);
        expectsKey = code === 0x7b;
        break;
      case 0x7d:
      case 0x5d:
        key = names.pop() ?? ``;
        labels.pop();
        inObject.pop();
        break;
      case 0x2c:
        if (inObject.at(-1) === true)
          expectsKey = true;
        else
          key = names.at(-1) ?? ``;
        break;
    }
    at++;
  }
}

/** Where the string ends that begins at `start`; -1 when it does not. */
function closing(text: string, start: number): number {
  for (let end = text.indexOf(`"`, start); end !== -1; end = text.indexOf(`"`, end + 1)) {
    let slashes = 0;
    while (end - 1 - slashes >= start && text.charCodeAt(end - 1 - slashes) === 0x5c)
      slashes++;
    if (slashes % 2 === 0)
      return end;
  }
  return -1;
}

/** What a piece of the inside of a JSON string stands for; null where it cannot be read. */
export function decode(raw: string): string | null {
  if (!raw.includes(`\\`))
    return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return null;
  }
}

/** First position at or after `least` that does not cut an escape in two. `from` must be such a position. */
export function safeCut(raw: string, from: number, least: number, end: number): number {
  let at = from;
  while (at < least) {
    const escape = raw.indexOf(`\\`, at);
    if (escape === -1 || escape >= least)
      return Math.min(least, end);
    at = escape + (raw[escape + 1] === `u` ? 6 : 2);
  }
  return Math.min(at, end);
}

/** Turns positions in decoded text into positions in the raw text. They must be asked for in rising order. */
export function rawPositions(raw: string): (position: number) => number {
  let at = 0;
  let decoded = 0;
  return position => {
    while (decoded < position) {
      const escape = raw.indexOf(`\\`, at);
      const plain = (escape === -1 ? raw.length : escape) - at;
      if (plain >= position - decoded) {
        at += position - decoded;
        decoded = position;
        break;
      }
      decoded += plain + 1;
      at = escape + (raw[escape + 1] === `u` ? 6 : 2);
    }
    return at;
  };
}
