export * from '../values.ts';
