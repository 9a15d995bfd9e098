import type {Json, JsonObject, PlanItem} from '../../interchange/index.ts';

import type {PlanInput}                  from './calls.ts';
import {planItems, planStatus}           from '../families/claudeTools.ts';
import {isObject, objectAt, shortKey, stringAt} from '../values.ts';

/** Longest text, and most tasks, that are remembered between a call and its result: reader state is bounded. */
const LONGEST = 8_000;
const LONGEST_STEP = 200;
const MOST_TASKS = 200;

export type Plan = {items?: Array<PlanItem>; text?: string};
export type PlansState = Array<[id: string, step: string, status: PlanItem[`status`]]>;

/** The session's plan, which three generations of tools keep in three ways. */
export class Plans {
  private readonly tasks = new Map<string, PlanItem>();

  /** What must be remembered of a call until its result. */
  inputOf(name: string, input: Json): PlanInput | undefined {
    if (!isObject(input))
      return undefined;

    switch (name) {
      case `TodoWrite`: {
        const items = planItems(input.todos);
        return items !== undefined && JSON.stringify(items).length <= LONGEST ? {kind: `todos`, items} : undefined;
      }
      case `ExitPlanMode`: {
        const text = stringAt(input, `plan`);
        return text !== undefined && text.length <= LONGEST ? {kind: `plan`, text} : {kind: `plan`};
      }
      case `TaskCreate`: {
        const subject = stringAt(input, `subject`);
        return subject === undefined ? undefined : {kind: `task`, subject: subject.slice(0, LONGEST_STEP)};
      }
      case `TaskUpdate`: {
        const task = stringAt(input, `taskId`);
        if (task === undefined)
          return undefined;
        const subject = stringAt(input, `subject`)?.slice(0, LONGEST_STEP);
        const status = stringAt(input, `status`)?.slice(0, 20);
        return {kind: `update`, task: shortKey(task), ...subject === undefined ? {} : {subject}, ...status === undefined ? {} : {status}};
      }
      default:
        return undefined;
    }
  }

  /** The plan after a call that worked; nothing when it did not change. */
  after(call: PlanInput | undefined, name: string, detail: Json | undefined): Plan | undefined {
    const result = isObject(detail) ? detail : undefined;
    if (name === `TodoWrite`) {
      const items = planItems(result?.newTodos) ?? (call?.kind === `todos` ? call.items : undefined);
      return items === undefined ? undefined : {items};
    }
    if (name === `ExitPlanMode`) {
      const text = stringAt(result, `plan`) ?? (call?.kind === `plan` ? call.text : undefined);
      return text === undefined ? undefined : {text};
    }
    if (call?.kind === `task`)
      return this.created(call.subject, result);
    if (call?.kind === `update`)
      return this.updated(call, result);
    return undefined;
  }

  private created(subject: string, result: JsonObject | undefined): Plan | undefined {
    const id = stringAt(objectAt(result, `task`), `id`);
    if (id === undefined || this.tasks.size >= MOST_TASKS)
      return undefined;

    this.tasks.set(shortKey(id), {step: subject, status: `pending`});
    return this.current();
  }

  private updated(call: PlanInput & {kind: `update`}, result: JsonObject | undefined): Plan | undefined {
    const task = this.tasks.get(call.task);
    if (task === undefined || result?.success === false)
      return undefined;

    if (call.status === `deleted`)
      this.tasks.delete(call.task);
    else
      this.tasks.set(call.task, {step: call.subject ?? task.step, status: call.status === undefined ? task.status : planStatus(call.status)});
    return this.current();
  }

  private current(): Plan {
    return {items: [...this.tasks.values()].map(item => ({...item}))};
  }

  save(): PlansState {
    return [...this.tasks].map(([id, {step, status}]) => [id, step, status]);
  }

  restore(state: PlansState) {
    for (const [id, step, status] of state)
      this.tasks.set(id, {step, status});
  }
}
