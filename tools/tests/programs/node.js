// SPDX-License-Identifier: GPL-2.0-only
// Garbage, functions that are compiled, WebAssembly memory that grows, and worker threads, until the file named exists.
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const fs = require('fs');

// A module with a memory, exported as "m", and a function "f" that grows it.
const module_ = new Uint8Array([
	0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 9, 2, 1, 102, 0, 0, 1, 109, 2,
	0, 10, 8, 1, 6, 0, 32, 0, 64, 0, 11,
]);

function fail(what) {
	console.log(`wrong: ${what}`);
	process.exit(1);
}

// Objects that live for a while; what is in them is checked when they go.
function garbage(count) {
	let kept = [];
	for (let i = 0; i < count; i++) {
		kept.push({ i, text: 'x'.repeat(i % 500), list: new Array(50).fill(i) });
		if (kept.length === 1000) {
			for (const item of kept) {
				if (item.text.length !== item.i % 500 || item.list[49] !== item.i)
					fail('an object has changed');
			}
			kept = [];
		}
		if (i % 2000 === 0 && new Function('a', `return a + ${i}`)(1) !== i + 1)
			fail('a compiled function');
	}
}

function fresh() {
	for (const byte of new Uint8Array(1 << 20)) {
		if (byte)
			fail('a new array is not zero');
	}
}

async function main(stop) {
	const instance = new WebAssembly.Instance(new WebAssembly.Module(module_));
	let rounds = 0;
	console.log('ready');
	while (!fs.existsSync(stop) || !rounds) {
		garbage(4000);
		fresh();
		if (instance.exports.m.buffer.byteLength < 32 << 20) {
			const before = instance.exports.m.buffer.byteLength;
			instance.exports.f(4);
			const view = new Uint8Array(instance.exports.m.buffer);
			for (let i = before; i < view.length; i++) {
				if (view[i])
					fail('new memory of WebAssembly is not zero');
			}
			view.fill(1);
		}
		await new Promise((resolve) => {
			const worker = new Worker(__filename);
			let said = 0;
			worker.on('message', (message) => { said = message; });
			worker.on('error', (error) => fail(error.message));
			worker.on('exit', () => { if (said !== 42) fail('a worker'); resolve(); });
		});
		if (global.gc && rounds % 2)
			global.gc();
		rounds++;
	}
	console.log(`${rounds} rounds`);
}

if (isMainThread) {
	main(process.argv[2]);
} else {
	garbage(1000);
	parentPort.postMessage(42);
}
