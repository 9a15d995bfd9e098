/** A secret with a shape of its own. The group `secret`, or else the whole match, is what must go. */
export type Rule = {
  id: string;
  /** One of these stands in every match, spelled so: what makes the rule worth running. */
  marks: Array<string>;
  /** Global. Every repetition is bounded, or can end in one place only: time stays linear. */
  pattern: RegExp;
  /**
   * Source of a pattern, without flags, that finds something at the start of every match. Default: the marks.
   * See prefilter.ts for where it is tried.
   */
  head?: string;
  /**
   * Where the prefilter comes upon a match: `run` (default): in a run of 20 token characters and more; `context`: the
   * same, and the head needs what stands around it; `join`: at `:` or `=`; `blank`: at a blank before a dash.
   */
  at?: `run` | `context` | `join` | `blank`;
  /** A match counts only where a word starts. */
  isWord?: boolean;
  /** A second look at the secret, for what a pattern cannot say. */
  accept?: (secret: string) => boolean;
};

function token(id: string, marks: Array<string>, body: string, head?: string, at?: Rule[`at`]): Rule {
  return {id, marks, head, at, isWord: true, pattern: new RegExp(`(?:${body})(?![A-Za-z0-9])`, `g`)};
}

/**
 * Does a word start at `at`? In text that is JSON, or a URL, inside of a string, the end of an escape is a start too.
 * Not part of the patterns: a pattern that begins by looking back is tried at every character.
 */
export function startsWord(text: string, at: number): boolean {
  return !/[A-Za-z0-9]/.test(text[at - 1] ?? ` `) || /(?:\\[nrtbf]|%[0-9A-Fa-f]{2}|\\u[0-9a-fA-F]{4})$/.test(text.slice(Math.max(0, at - 6), at));
}

function isBasicPair(value: string): boolean {
  const text = Buffer.from(value, `base64`).toString(`latin1`);
  return /^[\x20-\x7e]+:[\x20-\x7e]{3,}$/.test(text);
}

function isPassword(value: string): boolean {
  // `https://user:password@host` in documentation, `${PASSWORD}`, `<password>`, `***`.
  return value.length >= 4 && !/[${}<>]|%[A-Z_]+%|^(.)\1+$/.test(value)
    && !/^(?:pass(?:word|wd)?|pwd|secret|token|my-?(?:password|secret)|your.*|x-oauth-basic|x-access-token|pw|user(?:name)?|root|admin|example|changeme)$/i.test(value);
}

/** In order: what comes first names the placeholder. */
export const RULES: Array<Rule> = [
  {id: `private-key`, marks: [`Private-Lines`], at: `blank`, pattern: /Private-Lines: \d{1,3}(?:(?:\\{1,8}[nr]|\s)+[A-Za-z0-9+/=]{16,})+/g},
  token(`private-key`, [`AGE-SECRET-KEY-1`], `AGE-SECRET-KEY-1[A-Z0-9]{58}`),
  // Header and payload are JSON objects in base64: both begin with `{"`. The payload of an encrypted one does not.
  token(`jwt`, [`eyJ`], String.raw`(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{10,2000}\.(?:eyJ[A-Za-z0-9_-]{2,8000}\.[A-Za-z0-9_-]{10,2000}|[A-Za-z0-9_-]{0,1000}\.[A-Za-z0-9_-]{10,64}\.[A-Za-z0-9_-]{4,8000}\.[A-Za-z0-9_-]{10,64})`, `eyJ[A-Za-z0-9_-]{10}`),
  token(`anthropic`, [`sk-ant-`], `sk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_-]{24,200}`),
  token(`openai`, [`sk-proj-`, `sk-svcacct-`, `sk-admin-`, `sk-None-`], `sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,200}`),
  token(`openrouter`, [`sk-or-v1-`], `sk-or-v1-[0-9a-f]{64}`),
  token(`openai`, [`sk-`], `sk-(?=[A-Za-z0-9]{0,40}[0-9])(?=[A-Za-z0-9]{0,40}[A-Za-z])[A-Za-z0-9]{32,64}`, `sk-[A-Za-z0-9]{32}`),
  token(`github`, [`ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`], `gh[pousr]_[A-Za-z0-9]{36,251}`),
  token(`github`, [`github_pat_`], `github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}`),
  token(`gitlab`, [`glpat-`, `gldt-`, `glrt-`, `glcbt-`, `glptt-`, `glft-`, `glsoat-`, `gloas-`, `glagent-`], String.raw`gl(?:pat|dt|rt|cbt|ptt|ft|soat|oas|agent)-[A-Za-z0-9_-]{20,64}(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?`),
  token(`npm`, [`npm_`], `npm_[A-Za-z0-9]{36}`),
  token(`pypi`, [`pypi-AgE`], `pypi-AgE[A-Za-z0-9_-]{50,500}`),
  token(`rubygems`, [`rubygems_`], `rubygems_[0-9a-f]{48}`),
  token(`docker`, [`dckr_pat_`, `dckr_oat_`], `dckr_[po]at_[A-Za-z0-9_-]{24,64}`),
  token(`slack`, [`xox`], `xox[abeoprs](?:[.-][A-Za-z0-9%]{1,200}){2,8}`, `xox[abeoprs]`),
  token(`slack`, [`xapp-`], `xapp-\\d-[A-Z0-9]{6,20}-\\d{6,20}-[A-Za-z0-9]{20,100}`),
  {id: `slack`, marks: [`services/T`, `workflows/T`, `triggers/T`], head: `(?:services|workflows|triggers)/T[A-Za-z0-9]`, pattern: /hooks\.slack\.com\/(?<secret>(?:services|workflows|triggers)\/T[A-Za-z0-9]{1,40}\/[A-Za-z0-9]{1,40}\/[A-Za-z0-9]{1,60}(?:\/[A-Za-z0-9]{1,60})?)/g},
  {id: `discord`, marks: [`api/webhooks/`], head: String.raw`webhooks/\d`, pattern: /discord(?:app)?\.com\/api\/(?<secret>webhooks\/\d{15,22}\/[A-Za-z0-9_-]{50,100})/g},
  token(`discord`, [`.`], String.raw`[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}`, String.raw`[MNO][A-Za-z0-9_-]{23,27}\.$`, `context`),
  token(`telegram`, [`:AA`], `\\d{8,10}:AA[A-Za-z0-9_-]{33}`, undefined, `context`),
  token(`google`, [`AIza`], `AIza[A-Za-z0-9_-]{35}`),
  token(`google`, [`ya29.`], String.raw`ya29\.[A-Za-z0-9_.-]{20,1000}`, undefined, `context`),
  token(`google`, [`GOCSPX-`], `GOCSPX-[A-Za-z0-9_-]{28}`),
  token(`google`, [`1//0`], `1//0[A-Za-z0-9_-]{30,150}`),
  // AKIA… and ASIA… are half of a pair: not secret on their own, but they name the account.
  token(`aws`, [`AKIA`, `ASIA`, `ABIA`, `ACCA`], `A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}`, `A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}`),
  token(`aws`, [`ABSK`], `ABSK[A-Za-z0-9+/]{109,269}={0,2}`, `ABSK[A-Za-z0-9+/]{100}`),
  {id: `aws`, marks: [`X-Amz-`], at: `context`, head: `X-Amz-S[a-zA-Z-]{8,20}(?:=|%3D)`, pattern: /X-Amz-(?:Signature|Security-Token)(?:=|%3D)(?<secret>[A-Za-z0-9%+/=_-]{32,4000})/g},
  token(`stripe`, [`sk_live_`, `sk_test_`, `rk_live_`, `rk_test_`], `[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}`),
  token(`stripe`, [`whsec_`], `whsec_[A-Za-z0-9+/]{24,64}={0,2}`),
  token(`huggingface`, [`hf_`, `api_org_`], `(?:hf_|api_org_)[A-Za-z]{34}`, `(?:hf_|api_org_)[A-Za-z]{34}`),
  token(`azure`, [`Q~`], `[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}`, `[0-9]Q~`, `context`),
  {id: `azure`, marks: [`AccountKey=`, `SharedAccessKey=`, `SharedAccessSignature=`], at: `join`, pattern: /(?:AccountKey|SharedAccessKey|SharedAccessSignature)=(?<secret>[A-Za-z0-9+/%]{20,200}={0,2})/g},
  {id: `azure`, marks: [`sig=`], at: `context`, head: `[?&;]sig=`, pattern: /[?&;]sig=(?<secret>[A-Za-z0-9%+/]{40,200}={0,2})/g},
  token(`azure`, [`AzCa`, `+ASt`, `+AMC`, `+ARm`, `APIM`, `AzSe`, `AzFu`, `AIoT`, `JQQJ99`], `[A-Za-z0-9+/]{32,76}(?:APIM|AzCa|\\+(?:ASt|AMC|ARm|ACR)|AzSe|AzFu|AIoT|JQQJ99)[A-Za-z0-9+/]{4,40}={0,2}`, `(?:APIM|AzCa|\\+(?:ASt|AMC|ARm|ACR)|AzSe|AzFu|AIoT|JQQJ99)[A-Za-z0-9+/]{4}`, `context`),
  token(`sendgrid`, [`SG.`], String.raw`SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}`, String.raw`SG\.[A-Za-z0-9_-]`, `context`),
  token(`mailgun`, [`key-`], `key-[0-9a-f]{32}`, `key-[0-9a-f]{32}`),
  token(`mailchimp`, [`-us`], `[0-9a-f]{32}-us\\d{1,2}`, `[0-9a-f]{32}-us`),
  token(`brevo`, [`xkeysib-`], `xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}`),
  token(`twilio`, [`SK`], `SK[0-9a-f]{32}`, `SK[0-9a-f]{32}`),
  token(`shopify`, [`shpss_`, `shpat_`, `shpca_`, `shppa_`], `shp(?:ss|at|ca|pa)_[A-Za-z0-9]{32,64}`),
  token(`square`, [`sq0`, `EAAA`], `(?:sq0[a-z]{3}-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{60})`, `sq0[a-z]{3}-|EAAA[A-Za-z0-9_-]{30}`),
  token(`linear`, [`lin_api_`, `lin_oauth_`], `lin_(?:api|oauth)_[A-Za-z0-9]{32,128}`),
  token(`1password`, [`ops_ey`], `ops_ey[A-Za-z0-9+/_-]{100,1400}={0,2}`),
  token(`notion`, [`ntn_`, `secret_`], `(?:ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43})`, `ntn_[A-Za-z0-9]{40}|secret_[A-Za-z0-9]{43}`),
  token(`figma`, [`figd_`], `figd_[A-Za-z0-9_-]{40,60}`),
  token(`airtable`, [`pat`], String.raw`pat[A-Za-z0-9]{14}\.[0-9a-f]{64}`, String.raw`pat[A-Za-z0-9]{14}\.[0-9a-f]{20}`, `context`),
  token(`atlassian`, [`ATATT3`, `ATCTT3`, `ATBB`], `(?:AT[AC]TT3[A-Za-z0-9_=-]{60,300}|ATBB[A-Za-z0-9]{32})`),
  token(`vault`, [`hvs.`, `hvb.`, `hvr.`], String.raw`hv[sbr]\.[A-Za-z0-9_-]{20,300}`, undefined, `context`),
  token(`terraform`, [`.atlasv1.`], String.raw`[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,80}`, undefined, `context`),
  token(`grafana`, [`glsa_`, `glc_`], `(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2})`),
  token(`sentry`, [`sntrys_`, `sntryu_`], `sntry(?:s_eyJ[A-Za-z0-9+/=_]{60,400}|u_[0-9a-f]{64})`),
  token(`newrelic`, [`NRAK-`, `NRII-`], `NR(?:AK-[A-Z0-9]{27}|II-[A-Za-z0-9_-]{32})`),
  token(`digitalocean`, [`dop_v1_`, `doo_v1_`, `dor_v1_`], `do[por]_v1_[0-9a-f]{64}`),
  token(`databricks`, [`dapi`], `dapi[0-9a-f]{32}(?:-\\d)?`, `dapi[0-9a-f]{32}`),
  token(`doppler`, [`dp.`], String.raw`dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}`, String.raw`dp\.[a-z]{2,5}\.`, `context`),
  token(`postman`, [`PMAK-`], `PMAK-[0-9a-f]{24}-[0-9a-f]{34}`),
  token(`pulumi`, [`pul-`], `pul-[0-9a-f]{40}`),
  token(`planetscale`, [`pscale_`], `pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.-]{32,64}`),
  token(`supabase`, [`sbp_`, `sb_secret_`], `(?:sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{22,64})`),
  token(`netlify`, [`nfp_`], `nfp_[A-Za-z0-9]{36,40}`),
  token(`fly`, [`fm1`, `fm2`], `(?:FlyV1 )?fm[12][ar]?_[A-Za-z0-9+/=]{40,1000}`, `fm[12][ar]?_[A-Za-z0-9+/=]{17}`),
  token(`heroku`, [`HRKU-`], `HRKU-[A-Za-z0-9_-]{30,80}`),
  token(`tailscale`, [`tskey-`], `tskey-[a-z]{2,12}-[A-Za-z0-9]{6,40}(?:-[A-Za-z0-9]{16,64})?`),
  token(`groq`, [`gsk_`], `gsk_[A-Za-z0-9]{48,56}`),
  token(`xai`, [`xai-`], `xai-[A-Za-z0-9]{70,90}`),
  token(`perplexity`, [`pplx-`], `pplx-[A-Za-z0-9]{40,64}`),
  token(`replicate`, [`r8_`], `r8_[A-Za-z0-9]{37}`, `r8_[A-Za-z0-9]{37}`),
  token(`jfrog`, [`AKCp`], `AKCp[A-Za-z0-9]{60,80}`),
  token(`facebook`, [`EAAC`, `EAAB`, `EAAG`], `EAA[BCG][A-Za-z0-9]{80,300}`),
  token(`dropbox`, [`sl.`], String.raw`sl\.(?:u\.)?[A-Za-z0-9_-]{120,1400}`, String.raw`sl\.(?:u\.)?[A-Za-z0-9_-]{100}`, `context`),
  token(`alibaba`, [`LTAI`], `LTAI[A-Za-z0-9]{17,26}`, `LTAI[A-Za-z0-9]{17}`),
  {
    id: `authorization`,
    marks: [`earer`, `EARER`],
    // Shorter ones after `Authorization:` only.
    at: `context`,
    head: `[Bb]earer.{1,4}[A-Za-z0-9._~+/-]{16}|BEARER.{1,4}[A-Za-z0-9._~+/-]{16}`,
    pattern: /\b(?:[Bb]earer|BEARER)(?:\\?["'])?(?:\s|%20|\+|:\s?){1,4}(?<secret>(?=[A-Za-z._~+/-]{0,400}[0-9])[A-Za-z0-9._~+/-]{16,4000}={0,2})/g,
  },
  {
    id: `authorization`,
    marks: [`asic `, `ASIC `, `asic%20`],
    at: `context`,
    head: `[Bb](?:asic|ASIC)(?: |%20)[A-Za-z0-9+/_-]{8}`,
    pattern: /\b(?:[Bb]asic|BASIC)(?:\s|%20){1,4}(?<secret>[A-Za-z0-9+/_-]{8,2000}(?:={0,2}|(?:%3D){0,2}))(?![A-Za-z0-9])/g,
    accept: value => isBasicPair(value.replace(/%3D/g, `=`)),
  },
  {
    id: `authorization`,
    marks: [`uth"`, `uth\\`, `uth=`, `uth'`],
    at: `join`,
    // Docker's config.json and npm's `_auth`: a user and a password in base64.
    pattern: /(?<![A-Za-z])_?auth\\*["']?\s{0,4}[:=]\s{0,4}\\*["']?(?<secret>[A-Za-z0-9+/]{8,2000}={0,2})/g,
    accept: isBasicPair,
  },
  {
    id: `url-password`,
    marks: [`://`],
    at: `join`,
    // The password of `scheme://user:password@host`; a percent sign may stand for any of these characters.
    pattern: /:\/\/[^\s/:@"'\\<>`|(){}]{0,128}:(?<secret>[^\s/@"'\\<>`|]{3,256})@(?=[A-Za-z0-9[_$.-])/g,
    accept: isPassword,
  },
  {
    id: `url-password`,
    marks: [`://`],
    at: `context`,
    head: `//[A-Za-z0-9_-]{20,200}@`,
    // A token in the place of the user: `https://<token>@github.com/…`.
    pattern: /:\/\/(?<secret>(?=[A-Za-z_-]{0,100}[0-9])[A-Za-z0-9_-]{20,200})(?::x-oauth-basic)?@[A-Za-z0-9.-]{1,253}/g,
  },
  {
    id: `command-line`,
    marks: [`-u`, `--user`],
    at: `blank`,
    pattern: /(?:curl|http|wget)[^\n|;&]{0,300}?\s(?:-u|--user)(?:\s|=){0,2}\\*["']?[^\s:"'\\$]{1,100}:(?<secret>[^\s"'\\${}]{4,200})/g,
    accept: isPassword,
  },
  {
    id: `command-line`,
    marks: [`sshpass`],
    at: `blank`,
    pattern: /\bsshpass\s+-p\s*\\*["']?(?<secret>[^\s"'\\$]{4,200})/g,
  },
  {
    id: `command-line`,
    marks: [`mysql`, `mariadb`],
    at: `blank`,
    pattern: /\b(?:mysql(?:dump|admin|import)?|mariadb(?:-dump)?)(?=\s)[^\n|;&]{0,200}?\s-p(?<secret>(?=[A-Za-z]{0,60}[^A-Za-z\s])[^\s"'\\$-][^\s"'\\]{5,100})/g,
  },
  {
    id: `netrc`,
    marks: [`login`],
    at: `blank`,
    pattern: /\blogin(?:\\{1,8}[nt]|\s){1,8}[^\s\\]{1,200}(?:\\{1,8}[nt]|\s){1,8}password(?:\\{1,8}[nt]|\s){1,8}(?<secret>[^\s\\"']{4,400})/g,
    accept: isPassword,
  },
];
