import {isSafeFileName} from './layout.ts';

/** Folders in one another, and bytes of one name: more is on no disk that people work on. */
const MAX_DEPTH = 64;
const MAX_NAME_BYTES = 255;

// What the file systems of Macs leave out of a name when they compare it.
const IGNORABLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;

/**
 * May this be the path of a file in somebody's working tree, on any system? Relative, `/` between its parts, nothing that
 * leads out of the tree, and no part that any file system could take for `.git`.
 */
export function isSafeWorkPath(name: unknown): name is string {
  if (!isSafeFileName(name) || name.includes(`\ufffd`))
    return false;
  const parts = name.split(`/`);
  return parts.length <= MAX_DEPTH && parts.every(part => Buffer.byteLength(part) <= MAX_NAME_BYTES && !isGitFolder(part));
}

/** `.git` by the rules of some file system: whatever its case, with characters that are not compared, with dots at its end, or by its short name. */
function isGitFolder(part: string) {
  const plain = part.normalize(`NFKC`).replace(IGNORABLE, ``).toLowerCase().replace(/[. ]+$/, ``);
  return plain === `.git` || /^git~\d+$/.test(plain);
}

/**
 * Does a link in `path` to `target` stay inside of the tree? One that is absolute never does. Nor is `..` anywhere but at
 * the begin: behind another link it leads to wherever that link does.
 */
export function staysInside(path: string, target: string) {
  if (target === `` || target.length > 4096 || /^[/\\]|^[A-Za-z]:|[\u0000-\u001f\\]/.test(target))
    return false;
  let depth = path.split(`/`).length - 1;
  let named = false;
  for (const part of target.split(`/`)) {
    if (part === `..`)
      depth -= 1;
    else if (part !== `.` && part !== ``)
      named = true;
    if (depth < 0 || (named && part === `..`) || isGitFolder(part))
      return false;
  }
  return true;
}

/** Two names that a file system without case takes for one have one key. */
export function foldedName(path: string) {
  return path.normalize(`NFC`).toLowerCase();
}

const SECRET_FILES = [
  /^\.env/, /\.env$/, /^\.?(?:npmrc|netrc|pypirc|pgpass|htpasswd|git-credentials|dockercfg|terraformrc|s3cfg|boto)$/, /^_netrc$/,
  /^id_[^.]*(?:\.pub)?$/, /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?[._-]/, /\.(?:pem|key|p12|pfx|p8|jks|keystore|keytab|kdbx?|ppk|gpg|ovpn|tfstate|tfvars)$/, /\.tfstate\..*backup$/,
  /^\.(?:vault-token|vault[-_]pass(?:word)?(?:\.txt)?|my(?:login)?\.cnf|dockerconfigjson)$/, /^token\.(?:json|txt)$/,
  /^\.?credentials?(?:\..*)?$/, /credentials?\.(?:json|ya?ml|toml|ini|xml|txt|csv)$/, /^\.?secrets?(?:\..*)?$/, /^service[-_]?account.*\.json$/,
  /^(?:known_hosts|authorized_keys|kubeconfig|auth\.json)$/,
];
const SECRET_FOLDERS = /(?:^|\/)(?:\.ssh|\.gnupg|\.aws|\.azure|\.kube|\.docker|\.password-store)\//;

/** Is this the name of a file whose purpose is to hold secrets? Then nothing in it is looked at. */
export function isSecretName(path: string) {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf(`/`) + 1);
  return SECRET_FOLDERS.test(lower) || SECRET_FILES.some(pattern => pattern.test(name));
}
