import {v5} from 'uuid';

/** Namespace of every id that is derived here; made once, never to change. */
const NAMESPACE = `6f1c9a52-0b7e-5d43-9c35-2a8de01b7f64`;

const UUID       = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SESSION_ID = /^[0-9a-z][0-9a-z-]{7,63}$/;

/** The UUIDv5 of some parts; the same parts give the same id on every machine. */
export function deriveId(...parts: Array<string | number>) {
  return v5(JSON.stringify(parts), NAMESPACE);
}

/** A session is named by its agent's own id where that is a UUID, so that a person finds the name they know. */
export function sessionIdFor(agent: string, nativeId: string) {
  const lower = nativeId.toLowerCase();
  return UUID.test(lower) ? lower : deriveId(`session`, agent, nativeId);
}

/** Session and writer ids stand in ref names and paths: nothing else may be in them. */
export function isSafeId(id: unknown): id is string {
  return typeof id === `string` && SESSION_ID.test(id) && !id.endsWith(`-`) && !id.includes(`--`);
}
