import type {Drive} from './_drive.ts';

/** Every agent that the acceptance tests can drive. */
export const drives: Array<Drive> = [
];

export * from './_drive.ts';
