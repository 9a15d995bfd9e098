import {createHash} from 'node:crypto';

/**
 * Fake secrets, put together at run time: no literal here looks like one, so that no scanner of anybody's is alarmed.
 * Same ones on each run.
 */
const ALPHABETS = {
  word: `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789`,
  letters: `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz`,
  url: `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-`,
  base64: `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/`,
  hex: `0123456789abcdef`,
  upper: `ABCDEFGHIJKLMNOPQRSTUVWXYZ234567`,
  lower: `abcdefghijklmnopqrstuvwxyz0123456789`,
  digits: `123456789`,
};

export function chars(kind: keyof typeof ALPHABETS, length: number, seed: string | number): string {
  const alphabet = ALPHABETS[kind];
  let text = ``;
  for (let block = 0; text.length < length; block++) {
    const bytes = createHash(`sha512`).update(`${kind} ${length} ${seed} ${block}`).digest();
    for (let n = 0; n + 1 < bytes.length && text.length < length; n += 2)
      text += alphabet[bytes.readUInt16BE(n) % alphabet.length];
  }
  return text;
}

const base64url = (text: string) => Buffer.from(text).toString(`base64url`);

export function pem(kind: string, seed: number, bytes = 1200): string {
  const body = `MI` + chars(`base64`, bytes, seed);
  return [`-----BEGIN ${kind}PRIVATE` + ` KEY-----`, ...body.match(/.{1,64}/g)!, `-----END ${kind}PRIVATE` + ` KEY-----`].join(`\n`);
}

export type Sample = {
  rule: string;
  /** What must be gone. */
  secret: string;
  /** Where it stands; the secret itself when absent. */
  text?: string;
};

/** Three of each kind of token that has a shape of its own. */
export function tokenSamples(): Array<Sample> {
  const kinds: Array<[string, (seed: number) => string]> = [
    [`anthropic`, n => `sk-` + `ant-` + `api03-` + chars(`url`, 93, n) + `AA`],
    [`anthropic`, n => `sk-` + `ant-` + `oat01-` + chars(`url`, 90, n)],
    [`openai`, n => `sk-` + `proj-` + chars(`url`, 74, n) + `T3Blbk` + `FJ` + chars(`url`, 73, n) + `a`],
    [`openai`, n => `sk-` + chars(`word`, 20, n) + `T3Blbk` + `FJ` + chars(`word`, 20, n + 7)],
    [`openai`, n => `sk-` + chars(`hex`, 32, n)],
    [`openrouter`, n => `sk-or-` + `v1-` + chars(`hex`, 64, n)],
    [`github`, n => `gh` + `p_` + chars(`word`, 36, n)],
    [`github`, n => `gh` + `s_` + chars(`word`, 36, n)],
    [`github`, n => `github` + `_pat_` + chars(`word`, 22, n) + `_` + chars(`word`, 59, n)],
    [`gitlab`, n => `gl` + `pat-` + chars(`url`, 19, n) + `x`],
    [`npm`, n => `np` + `m_` + chars(`word`, 36, n)],
    [`pypi`, n => `pypi-` + `AgEIcHlwaS5vcmc` + chars(`url`, 139, n) + `a`],
    [`rubygems`, n => `ruby` + `gems_` + chars(`hex`, 48, n)],
    [`docker`, n => `dckr` + `_pat_` + chars(`url`, 26, n) + `b`],
    [`slack`, n => `xo` + `xb-` + chars(`digits`, 12, n) + `-` + chars(`digits`, 13, n) + `-` + chars(`word`, 24, n)],
    [`slack`, n => `xa` + `pp-1-` + chars(`upper`, 11, n) + `-` + chars(`digits`, 13, n) + `-` + chars(`hex`, 64, n)],
    [`discord`, n => `M` + chars(`word`, 25, n) + `.` + chars(`word`, 6, n) + `.` + chars(`word`, 38, n)],
    [`telegram`, n => chars(`digits`, 10, n) + `:AA` + chars(`word`, 33, n)],
    [`google`, n => `AI` + `za` + chars(`word`, 35, n)],
    [`google`, n => `ya` + `29.` + chars(`url`, 160, n) + `a`],
    [`google`, n => `GOC` + `SPX-` + chars(`word`, 28, n)],
    [`aws`, n => `AK` + `IA` + chars(`upper`, 16, n)],
    [`stripe`, n => `sk` + `_live_` + chars(`word`, 24, n)],
    [`stripe`, n => `rk` + `_test_` + chars(`word`, 99, n)],
    [`stripe`, n => `wh` + `sec_` + chars(`word`, 32, n)],
    [`huggingface`, n => `h` + `f_` + chars(`letters`, 34, n)],
    [`azure`, n => chars(`word`, 3, n) + `8` + `Q~` + chars(`word`, 34, n)],
    [`sendgrid`, n => `S` + `G.` + chars(`word`, 22, n) + `.` + chars(`word`, 43, n)],
    [`mailgun`, n => `ke` + `y-` + chars(`hex`, 32, n)],
    [`mailchimp`, n => chars(`hex`, 32, n) + `-us` + `12`],
    [`brevo`, n => `xkey` + `sib-` + chars(`hex`, 64, n) + `-` + chars(`word`, 16, n)],
    [`twilio`, n => `S` + `K` + chars(`hex`, 32, n)],
    [`shopify`, n => `shp` + `at_` + chars(`hex`, 32, n)],
    [`square`, n => `sq0` + `csp-` + chars(`word`, 43, n)],
    [`linear`, n => `lin` + `_api_` + chars(`word`, 40, n)],
    [`1password`, n => `op` + `s_` + base64url(JSON.stringify({email: `a@example.com`, secretKey: chars(`word`, 90, n), x: chars(`word`, 90, n + 1)}) + `}`)],
    [`notion`, n => `nt` + `n_` + chars(`word`, 46, n)],
    [`figma`, n => `fig` + `d_` + chars(`word`, 43, n)],
    [`airtable`, n => `pa` + `t` + chars(`word`, 14, n) + `.` + chars(`hex`, 64, n)],
    [`atlassian`, n => `ATA` + `TT3` + chars(`word`, 180, n)],
    [`vault`, n => `hv` + `s.` + chars(`word`, 24, n)],
    [`terraform`, n => chars(`word`, 14, n) + `.atlas` + `v1.` + chars(`word`, 67, n)],
    [`grafana`, n => `gl` + `sa_` + chars(`word`, 32, n) + `_` + chars(`hex`, 8, n)],
    [`newrelic`, n => `NR` + `AK-` + chars(`upper`, 27, n)],
    [`digitalocean`, n => `dop` + `_v1_` + chars(`hex`, 64, n)],
    [`databricks`, n => `da` + `pi` + chars(`hex`, 32, n)],
    [`doppler`, n => `dp` + `.pt.` + chars(`word`, 43, n)],
    [`postman`, n => `PM` + `AK-` + chars(`hex`, 24, n) + `-` + chars(`hex`, 34, n)],
    [`pulumi`, n => `pu` + `l-` + chars(`hex`, 40, n)],
    [`planetscale`, n => `pscale` + `_tkn_` + chars(`word`, 43, n)],
    [`supabase`, n => `sb` + `p_` + chars(`hex`, 40, n)],
    [`netlify`, n => `nf` + `p_` + chars(`word`, 36, n)],
    [`fly`, n => `fm` + `2_` + chars(`base64`, 200, n) + `a`],
    [`heroku`, n => `HR` + `KU-` + chars(`word`, 60, n)],
    [`tailscale`, n => `ts` + `key-auth-` + chars(`word`, 12, n) + `-` + chars(`word`, 32, n)],
    [`groq`, n => `gs` + `k_` + chars(`word`, 52, n)],
    [`xai`, n => `xa` + `i-` + chars(`word`, 80, n)],
    [`perplexity`, n => `pp` + `lx-` + chars(`word`, 48, n)],
    [`replicate`, n => `r` + `8_` + chars(`word`, 37, n)],
    [`jfrog`, n => `AK` + `Cp` + chars(`word`, 69, n)],
    [`facebook`, n => `EA` + `AC` + chars(`word`, 160, n)],
    [`alibaba`, n => `LT` + `AI` + chars(`word`, 20, n)],
    [`jwt`, n => `${base64url(`{"alg":"HS256","typ":"JWT"}`)}.${base64url(JSON.stringify({sub: chars(`word`, 12, n), iat: 1700000000 + n}))}.${chars(`url`, 42, n)}a`],
    [`private-key`, n => `AGE-SECRET` + `-KEY-1` + chars(`upper`, 58, n)],
    [`private-key`, n => pem(n === 0 ? `` : n === 1 ? `RSA ` : `OPENSSH `, n)],
  ];
  return kinds.flatMap(([rule, make]) => [0, 1, 2].map(seed => ({rule, secret: make(seed)})));
}

/** Secrets that only what stands around them gives away. */
export function contextSamples(): Array<Sample> {
  const word = (length: number, seed: string) => chars(`word`, length, seed);
  const basic = (seed: string, size = 9) => Buffer.from(`alice:${word(size, seed)}`).toString(`base64`);
  const make: Array<[string, string, (secret: string) => string]> = [
    [`authorization`, word(32, `b1`), s => `curl -H "Authorization: Bearer ${s}" https://api.example.com/v1`],
    [`authorization`, `${word(8, `b2`)}.${word(5, `b2`)}_${word(8, `b3`)}1`, s => `Authorization: Bearer ${s}`],
    [`authorization`, basic(`b4`), s => `Authorization: Basic ${s}`],
    [`authorization`, basic(`b5`, 30), s => `-H 'authorization: Basic ${s}'`],
    [`authorization`, basic(`b6`, 30), s => `{"auths":{"registry.example.com":{"auth":"${s}"}}}`],
    [`url-password`, `p${word(11, `u1`)}`, s => `DATABASE_URL=postgres://shop:${s}@db.internal:5432/shop`],
    [`url-password`, `p${word(7, `u2`)}`, s => `mongodb+srv://shop:${s}@cluster0.example.net/?retryWrites=true`],
    [`url-password`, `hunter%402`, s => `redis://:${s}@10.0.0.7:6379/0`],
    [`url-password`, `correct-horse`, s => `git remote add x https://alice:${s}@git.example.com/shop.git`],
    [`url-password`, `1${word(30, `u5`)}`, s => `git clone https://${s}@git.example.com/shop.git`],
    [`url-password`, `s3cr3t!x`, s => `amqps://app:${s}@mq.example.com//vhost`],
    [`aws`, chars(`hex`, 64, `x1`), s => `https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=${s}&x=1`],
    [`azure`, `${chars(`base64`, 86, `a1`)}==`, s => `DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=${s};EndpointSuffix=core.windows.net`],
    [`azure`, `${chars(`word`, 20, `a2`)}%2B${chars(`word`, 20, `a2`)}%3D`, s => `https://shop.blob.core.windows.net/c?sv=2022-11-02&se=2030&sig=${s}`],
    [`slack`, `services/T0${word(8, `s1`)}/B0${word(8, `s1`)}/${word(24, `s1`)}`, s => `https://hooks.slack.com/${s}`],
    [`discord`, `webhooks/${chars(`digits`, 18, `d`)}/${word(68, `d`)}`, s => `https://discord.com/api/${s}`],
    [`netrc`, `n${word(9, `n`)}`, s => `machine git.example.com\n  login alice\n  password ${s}`],
    [`command-line`, `c${word(9, `c1`)}`, s => `curl -sS -u alice:${s} https://git.example.com/api`],
    [`command-line`, `c${word(9, `c2`)}9`, s => `mysql -h db -u root -p${s} shop`],
    [`command-line`, `c${word(9, `c3`)}`, s => `sshpass -p ${s} ssh alice@host`],
    [`assigned`, word(40, `k1`), s => `AWS_SECRET_ACCESS_KEY=${s}`],
    [`assigned`, chars(`base64`, 40, `k2`), s => `aws_secret_access_key = ${s}\n`],
    [`assigned`, `hunter22`, s => `DB_PASSWORD=${s}\n`],
    [`assigned`, `correcthorse`, s => `export POSTGRES_PASSWORD=${s}`],
    [`assigned`, `Tr0ub4dor&3`, s => `password: "${s}"`],
    [`assigned`, `s3cr3t-p4ss`, s => `const password = '${s}';`],
    [`assigned`, word(32, `k7`), s => `api_key: ${s}\n`],
    [`assigned`, word(24, `k8`), s => `apiKey: '${s}',`],
    [`assigned`, chars(`hex`, 32, `k9`), s => `SECRET_KEY_BASE = "${s}"`],
    [`assigned`, chars(`hex`, 64, `k10`), s => `JWT_SECRET=${s}`],
    [`assigned`, chars(`hex`, 40, `k11`), s => `"access_token": "${s}"`],
    [`assigned`, word(20, `k12`), s => `client_secret=${s}&grant_type=client_credentials`],
    [`assigned`, word(30, `k13`), s => `https://api.example.com/v1?api_key=${s}&x=1`],
    [`assigned`, word(30, `k14`), s => `token%3D${s}%26x%3D1`],
    [`assigned`, `Summer2024!`, s => `deploy --password ${s} --host x`],
    [`assigned`, word(30, `k16`), s => `deploy --token=${s}`],
    [`assigned`, word(36, `k17`), s => `//registry.example.com/:_authToken=${s}`],
    [`assigned`, word(22, `k18`), s => `process.env["API_TOKEN"] = "${s}"`],
    [`assigned`, `9f8e7d6c-1234-4abc-8def-${chars(`hex`, 12, `k19`)}`, s => `HEROKU_API_KEY=${s}`],
    [`assigned`, word(28, `k20`), s => `x-api-key: ${s}`],
    [`assigned`, `pa55-w0rd`, s => `PGPASSWORD=${s} psql -h db`],
    [`assigned`, word(26, `k22`), s => `{\\"secret\\":\\"${s}\\"}`],
    [`assigned`, word(26, `k23`), s => `config.secretKey = "${s}"`],
    [`entropy`, word(40, `e1`), s => `the value is ${s}, keep it`],
    [`entropy`, chars(`base64`, 43, `e2`), s => `printed: ${s}=\n`],
    [`entropy`, chars(`url`, 48, `e3`), s => `got ${s}`],
    [`entropy`, word(32, `e4`), s => `x("${s}")`],
  ];
  return make.map(([rule, secret, text]) => ({rule, secret, text: text(secret)}));
}
