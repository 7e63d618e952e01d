// Preloaded into the warm node: reports READY on fd 3, waits for START, then vanishes; node goes on to load the main module.
'use strict';
{
  const { isMainThread } = require('worker_threads');
  const isWarm = isMainThread && process.ppid === 1 && module.parent.id === 'internal/preload';
  forget();
  if (isWarm) wait();

  function wait() {
    const fs = require('fs');
    prepare();
    fs.writeSync(3, `${process.versions.node}\n`);
    const pieces = [];
    const piece = Buffer.allocUnsafeSlow(65536);
    for (let n = fs.readSync(3, piece); n > 0; n = fs.readSync(3, piece)) pieces.push(piece.toString('latin1', 0, n));
    fs.closeSync(3);
    const words = Buffer.from(pieces.join(''), 'latin1').toString().split('\0').slice(0, -1);
    for (const word of words) {
      const equals = word.indexOf('=');
      if (word[0] === 'A') process.argv.push(word.slice(1));
      else process.env[word.slice(1, equals)] = word.slice(equals + 1);
    }
  }

  // What the first console.log and require would load and compile.
  function prepare() {
    for (const stream of [process.stdout, process.stderr]) {
      // Writes block, as on a terminal: a flood waits for its reader and does not fill the heap, and process.exit() cuts nothing.
      stream._handle.setBlocking(true);
    }
    const { Console } = require('console');
    const { Writable } = require('stream');
    const sink = new Console(new Writable({ write: (chunk, encoding, done) => done() }));
    sink.log('%s', 'x', 1, { a: [1, 'b'] });
  }

  function forget() {
    const { _pathCache, _cache } = require('module');
    delete _cache[__filename];
    for (const key of Object.keys(_pathCache)) if (_pathCache[key] === __filename) delete _pathCache[key];
    process.execArgv.length = 0;
    process._preload_modules.length = 0;
  }
}
