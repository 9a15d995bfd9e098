export * from './types.ts';
export {deriveId, isSafeId, sessionIdFor}                            from './ids.ts';
export {recordLine, stableJson}                                      from './canonical.ts';
export {LiveTree, MISSING_RESULT, OpenCalls, healOpenCalls, isHistory, linearize, sinceCompaction} from './linearize.ts';
export type {LinearOptions, Node}                                    from './linearize.ts';
export {Fidelity, summarise}                                         from './fidelity.ts';
export {foldRepairs, placeholder, validateRecord}                    from './validate.ts';
