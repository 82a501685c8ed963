// Drives the pages of templates that show people, in a real browser:
//   node people.mjs NAME=ADDRESS...
// Each page is opened twice: who is added on one appears on both. Prints a line
// "ok NAME" for each.
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';

const patience = Number(process.env.PATIENCE ?? 60_000); // only a failure takes that long
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  timeout: 3 * patience,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function open(address) {
  const context = await browser.newContext();
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', e => complaints.push(String(e)));
  await page.goto(address);
  await page.locator('form input').waitFor();
  return { page, complaints };
}

async function people(name, address) {
  const one = await open(address);
  const two = await open(address);
  const person = `<b>Bob</b> of ${name}`; // must not become markup
  await one.page.locator('form input').fill(person);
  await one.page.locator('form button').click();
  for (const { page, complaints } of [one, two]) {
    const item = page.locator('ul li').filter({ hasText: person });
    await item.waitFor().catch(async e => {
      console.error(`${name}: `, await page.innerHTML('body'), complaints);
      throw e;
    });
    assert.equal(await item.count(), 1);
    await page.locator('ul li').filter({ hasText: /^Alice$/ }).waitFor(); // of the session before
    assert.equal(await one.page.locator('form input').inputValue(), '');
  }
  for (const { page, complaints } of [one, two]) {
    assert.deepEqual(complaints, []);
    await page.context().close();
  }
  console.log(`ok ${name}`);
}

try {
  for (const argument of process.argv.slice(2)) {
    const at = argument.indexOf('=');
    await people(argument.slice(0, at), argument.slice(at + 1));
  }
} finally {
  await browser.close();
}
