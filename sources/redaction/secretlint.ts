import type {SecretLintRuleCreator, SecretLintRuleReportHandler, SecretLintSourceCode} from '@secretlint/types';

/**
 * The rules of secretlint's recommended preset, run one by one.
 *
 * Not through `lintSource` of @secretlint/core (11.7.1): its profiler makes some 40 performance marks a call, which
 * nothing ever clears, and searches all earlier ones at each. In a worker that lives for hours that is a leak, and
 * quadratic. The rules themselves only want a context with three functions.
 */
export type External = (text: string) => Array<{start: number; end: number; rule: string}>;

const LEFT_OUT = new Set([
  // `secretlint-disable` in a transcript would switch redaction off.
  `filter-comments`,
  // Looks at whole files, by their extension.
  `gcp`,
  // 128² steps at each `SG.`; ours takes every key of the real length.
  `sendgrid`,
  // These report the whole URL. Ours take the password out of it, and leave what tells hosts apart.
  `basicauth`,
  `database-connection-string`,
]);
const NAMES: {[id: string]: string} = {privatekey: `private-key`};

/** Literals of which one stands in each match of these rules. */
const MARKS = [
  `SECRET`, `ecret`, `npm_`, `x-oauth-basic`, `xox`, `xapp-`, `hooks.slack.com`, `HOOKS.SLACK.COM`, `T3BlbkFJ`, `sk-ant-`, `lin_api_`,
  `PRIVATE KEY`, `shppa_`, `shpca_`, `shpat_`, `shpss_`, `gh`, `github_pat_`, `ops_ey`,
];

let loading: Promise<External> | null = null;
export function loadSecretlint(): Promise<External> {
  return loading ??= import(`@secretlint/secretlint-rule-preset-recommend`).then(({rules}) => prepare(rules as Array<SecretLintRuleCreator>));
}

function prepare(creators: Array<SecretLintRuleCreator>): External {
  let found: ReturnType<External> = [];
  const handlers: Array<SecretLintRuleReportHandler> = [];
  for (const creator of creators) {
    const id = creator.meta.id.replace(/^@secretlint\/secretlint-rule-/, ``);
    if (LEFT_OUT.has(id))
      continue;
    handlers.push(creator.create({
      sharedOptions: {},
      createTranslator: () => () => ({message: ``, messageId: ``}),
      ignore: () => {},
      report: ({range}: {range: readonly [number, number]}) => void found.push({start: range[0], end: range[1], rule: NAMES[id] ?? id}),
    } as unknown as Parameters<typeof creator.create>[0], {}));
  }
  return text => {
    found = [];
    if (!MARKS.some(mark => text.includes(mark)))
      return found;
    const source = {content: text, filePath: undefined, ext: ``, contentType: `text`} as unknown as SecretLintSourceCode;
    for (const handler of handlers)
      void handler.file?.(source);
    return found;
  };
}
