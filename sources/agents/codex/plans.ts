import type {PlanItem, PlanRecord} from '../../interchange/index.ts';

/** A plan as a text that a person is shown. */
export function planText({text, items}: Pick<PlanRecord, `text` | `items`>): string {
  return text ?? items?.map(({step, status}) => `- [${status === `completed` ? `x` : ` `}] ${step}${status === `in_progress` ? ` (in progress)` : ``}`).join(`\n`) ?? ``;
}

/** Steps in a text that `planText` could have made. */
export function planItemsIn(text: string): Array<PlanItem> | undefined {
  const items = text.split(`\n`).map(line => {
    const [, done, step] = /^- \[( |x)\] (.*)$/.exec(line) ?? [];
    if (step === undefined)
      return undefined;
    return done === `x` ? {step, status: `completed` as const}
      : step.endsWith(` (in progress)`) ? {step: step.slice(0, -` (in progress)`.length), status: `in_progress` as const}
        : {step, status: `pending` as const};
  });
  return items.includes(undefined) ? undefined : items.filter(item => item !== undefined);
}
