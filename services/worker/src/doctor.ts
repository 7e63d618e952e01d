// The self-test as a command (`./rungrid doctor`): prints every check, exits with 1 when one failed.
import { ConfigError } from '@rungrid/kit/config';
import { newHexId } from '@rungrid/kit/ids';
import { readWorkerConfig } from './config.js';
import { selfTestEngine, sandboxKind } from './engine.js';
import { failureText, verificationTable, verifySandboxes } from './selftest/selftest.js';
import { specsToVerify, languageSpecs } from './language-specs.js';

async function main(): Promise<boolean> {
  const config = readWorkerConfig();
  const makeEngine = () => selfTestEngine(config, newHexId());
  const engine = makeEngine();
  try {
    await engine.ping();
    const specs = await languageSpecs(config, engine);
    const toVerify = specsToVerify([...specs.values()]);
    await engine.requireRuntime();
    process.stdout.write(
      `engine ${config.DOCKER_HOST}, runtime ${config.SANDBOX_RUNTIME}, languages ${[...specs.keys()].join(', ')}\n`,
    );
    const verifications = await verifySandboxes({ makeEngine, specs: toVerify, kind: sandboxKind(config) });
    process.stdout.write(verificationTable(verifications));
    return failureText(verifications) === undefined;
  } finally {
    await engine.close();
  }
}

try {
  if (!(await main())) process.exitCode = 1;
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
