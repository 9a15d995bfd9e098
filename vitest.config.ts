import {defineConfig} from 'vitest/config';

export default defineConfig({
  test: {
    pool: `forks`,
    poolOptions: {forks: {maxForks: 2, minForks: 1}},
    // Its modules name a folder, which Node does not take.
    server: {deps: {inline: [`clipanion`]}},
    projects: [{
      extends: true,
      test: {
        name: `unit`,
        include: [`tests/**/*.test.ts`],
        exclude: [`tests/acceptance/**`],
        // Many start the built program a dozen times; what hangs is ended by its own bounds.
        testTimeout: 90_000,
        hookTimeout: 90_000,
      },
    }, {
      extends: true,
      test: {
        name: `acceptance`,
        include: [`tests/acceptance/**/*.test.ts`],
        testTimeout: 120_000,
        hookTimeout: 120_000,
        // Each test starts a real agent; side by side they only slow one another down.
        poolOptions: {forks: {singleFork: true}},
      },
    }],
  },
});
