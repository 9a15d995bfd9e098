import type {Readable, Writable} from 'node:stream';

export type Choice = {value: string; label: string; hint?: string};

/** Lets a person choose on their terminal, by typing or with the arrows; undefined when they leave. */
export async function picker({stdin, stdout}: {stdin: Readable; stdout: Writable}, {message, options}: {message: string; options: Array<Choice>}): Promise<string | undefined> {
  const {autocomplete, isCancel} = await import(`@clack/prompts`);
  const chosen = await autocomplete({message, options, maxItems: 12, input: stdin, output: stdout});
  return isCancel(chosen) ? undefined : String(chosen);
}

/** Asks a person for yes or no on their terminal; no when they leave. */
export async function confirm({stdin, stdout}: {stdin: Readable; stdout: Writable}, message: string): Promise<boolean> {
  const {confirm: ask, isCancel} = await import(`@clack/prompts`);
  const answer = await ask({message, initialValue: false, input: stdin, output: stdout});
  return !isCancel(answer) && answer;
}
