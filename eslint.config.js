import tseslint from 'typescript-eslint';

/** Imports that a folder may not have; `message` says why. */
const withoutImports = (...patterns) => [`error`, {patterns: patterns.map(([regex, message]) => ({regex, message}))}];

const AGENT = [`/agents/(?!families/)[a-z-]+/`, `Only the registry (agents/index.ts) knows an agent's folder; everything else goes through its adapter.`];
const above = (...folders) => [`^(\\.\\./)+(${folders.join(`|`)})/`, `Imports go one way: commands → sync, restore → agents, store, redaction → interchange.`];

// Only what finds faults. How the code looks is nobody's business here.
export default tseslint.config(
  {ignores: [`dist/`, `node_modules/`, `.agents/`, `tests/fixtures/`]},
  {linterOptions: {reportUnusedDisableDirectives: `error`}},
  {
    files: [`**/*.{js,mjs,ts}`],
    rules: {
      'eqeqeq': `error`,
      'no-fallthrough': `error`,
      'no-self-compare': `error`,
      'no-template-curly-in-string': `error`,
      'no-unreachable-loop': `error`,
      'no-unsafe-finally': `error`,
      'no-unused-private-class-members': `error`,
      'prefer-const': [`error`, {destructuring: `all`}],
      'use-isnan': `error`,
    },
  },
  {
    files: [`**/*.ts`],
    languageOptions: {parser: tseslint.parser, parserOptions: {project: `./tsconfig.json`, tsconfigRootDir: import.meta.dirname}},
    plugins: {'@typescript-eslint': tseslint.plugin},
    rules: {
      '@typescript-eslint/await-thenable': `error`,
      '@typescript-eslint/consistent-type-imports': `error`,
      '@typescript-eslint/no-floating-promises': `error`,
      '@typescript-eslint/no-for-in-array': `error`,
      '@typescript-eslint/no-misused-promises': `error`,
      '@typescript-eslint/no-unused-vars': [`error`, {argsIgnorePattern: `^_`, varsIgnorePattern: `^_`, ignoreRestSiblings: true}],
      '@typescript-eslint/only-throw-error': `error`,
    },
  },
  {
    files: [`sources/**/*.ts`],
    rules: {'no-console': `error`, 'no-restricted-imports': withoutImports(AGENT)},
  },
  {
    files: [`sources/agents/*/**/*.ts`],
    rules: {'no-restricted-imports': withoutImports(
      [`^\\.\\./(?!families/)[a-z-]+/`, `No agent imports another: what they share is in agents/families/.`],
      above(`commands`, `restore`, `store`, `sync`, `redaction`),
    )},
  },
  {
    files: [`sources/agents/families/*/*.ts`],
    rules: {'no-restricted-imports': withoutImports([`^\\.\\./\\.\\./(?!families/)[a-z-]+/`, `A family knows none of its agents.`])},
  },
  {files: [`sources/agents/index.ts`], rules: {'no-restricted-imports': `off`}},
  {
    files: [`sources/{store,redaction,system}/**/*.ts`],
    rules: {'no-restricted-imports': withoutImports(AGENT, above(`commands`, `restore`, `sync`))},
  },
  {files: [`sources/{restore,sync,terminal}/**/*.ts`], rules: {'no-restricted-imports': withoutImports(AGENT, above(`commands`))}},
  {files: [`sources/interchange/**/*.ts`], rules: {'no-restricted-imports': withoutImports([`^\\.\\./`, `The library stands for itself.`])}},
);
