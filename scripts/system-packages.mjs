// Installs the programs that the tests use, redis-server, chromium and openssl, if they are missing (by apt, on Debian).
import { spawnSync } from 'node:child_process';

const PACKAGES = { 'redis-server': 'redis-server', chromium: 'chromium', openssl: 'openssl' }; // program → Debian package

const onPath = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const missing = Object.keys(PACKAGES).filter((program) => !onPath(program));

if (missing.length > 0) {
  const packages = missing.map((program) => PACKAGES[program]).join(' ');
  const sudo = process.getuid?.() === 0 ? '' : 'sudo -n ';
  const install =
    `${sudo}apt-get update -qq && ` +
    `${sudo}env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends ${packages} fonts-dejavu-core`;
  const allowed = onPath('apt-get') && (sudo === '' || spawnSync('sudo', ['-n', 'true']).status === 0);
  if (!allowed) {
    console.error(`tests need ${missing.join(' and ')}; install with: sudo apt-get install ${packages}`);
    process.exit(1);
  }
  console.log(`setup: installing ${packages} (apt)`);
  const result = spawnSync('sh', ['-c', install], { stdio: ['ignore', 'ignore', 'inherit'] });
  const stillMissing = missing.filter((program) => !onPath(program));
  if (result.status !== 0 || stillMissing.length > 0) {
    console.error(`setup: could not install ${stillMissing.join(' and ') || packages}`);
    process.exit(1);
  }
  // Debian starts a redis-server of its own on port 6379; the tests start theirs on free ports and leave it alone.
}
