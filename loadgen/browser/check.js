// What a page must be in a real browser: on a phone and on a desktop, in light, dark and print.
//
// - It says nothing on the console and asks nothing of the network.
// - It never scrolls sideways; what is wider scrolls within itself.
// - Text in pictures is legible, lies within its picture, and stands out from the cell that it is in.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');

const VIEWS = [
  { name: 'phone-light', width: 390, height: 844, scheme: 'light' },
  { name: 'phone-dark', width: 390, height: 844, scheme: 'dark' },
  { name: 'desktop-light', width: 1280, height: 900, scheme: 'light' },
  { name: 'desktop-dark', width: 1280, height: 900, scheme: 'dark' },
  // A4 at 96 dots an inch; printing overrides a dark scheme.
  { name: 'print', width: 794, height: 1123, scheme: 'dark', media: 'print' },
];

// CSS pixels of the smallest text in a picture.
const TEXT_MIN = 8.5;
// WCAG 2.1, level AA.
const CONTRAST_MIN = 4.5;

// Runs in the page.
function inspect({ textMin, contrastMin }) {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll('body *')].find((one) => one.getBoundingClientRect().right > root.clientWidth + 1 && !one.closest('.scroll'));
    faults.push(`scrolls sideways: ${root.scrollWidth} in ${root.clientWidth}, at ${wide && wide.outerHTML.slice(0, 120)}`);
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('has not one h1');

  const channels = (color) => (color.match(/[\d.]+/g) || []).slice(0, 3).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (channels(color).length === 3 && !/, 0\)$/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };

  let texts = 0;
  for (const text of document.querySelectorAll('svg.chart text')) {
    if (!text.getClientRects().length) continue;
    texts += 1;
    const svg = text.ownerSVGElement;
    const size = parseFloat(getComputedStyle(text).fontSize) * svg.getScreenCTM().a;
    if (size < textMin) faults.push(`text of ${size.toFixed(1)} px: ${text.textContent}`);
    const box = text.getBBox();
    const view = svg.viewBox.baseVal;
    if (box.x < -1 || box.x + box.width > view.width + 1 || box.y < -1 || box.y + box.height > view.height + 1) {
      faults.push(`text leaves its picture: ${text.textContent} of ${svg.getAttribute('aria-label')}`);
    }
    const cell = text.parentElement.querySelector(':scope > rect.cell');
    const back = cell ? getComputedStyle(cell).fill : behind(svg);
    const found = contrast(getComputedStyle(text).fill, back);
    if (found < contrastMin) faults.push(`contrast ${found.toFixed(1)}: ${text.textContent}`);
  }
  let words = 0;
  for (const element of document.querySelectorAll('h1, h2, h3, p, li, td, th, dt, dd, summary, code, pre, strong, span')) {
    if (!element.getClientRects().length || !element.textContent.trim()) continue;
    words += 1;
    const found = contrast(getComputedStyle(element).color, behind(element));
    if (found < contrastMin) faults.push(`contrast ${found.toFixed(1)}: ${element.textContent.slice(0, 60)}`);
  }
  if (!words) faults.push('shows no text');
  return { faults, texts };
}

async function check(browser, file, view) {
  const context = await browser.newContext({ viewport: { width: view.width, height: view.height }, colorScheme: view.scheme });
  const page = await context.newPage();
  const faults = [];
  const url = pathToFileURL(path.resolve(file)).href;
  page.on('console', (message) => faults.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) faults.push(`asks for ${request.url()}`);
  });
  if (view.media) await page.emulateMedia({ media: view.media, colorScheme: view.scheme });
  await page.goto(url);
  if (process.env.SCREENSHOTS) {
    fs.mkdirSync(process.env.SCREENSHOTS, { recursive: true });
    const shot = path.join(process.env.SCREENSHOTS, `${path.basename(file, '.html')}-${view.name}.png`);
    await page.screenshot({ path: shot, fullPage: true });
  }
  // What is folded away must hold as well once it is opened.
  await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
  const seen = await page.evaluate(inspect, { textMin: TEXT_MIN, contrastMin: CONTRAST_MIN });
  if (view.media === 'print' && (await page.pdf({ format: 'A4' })).length < 1000) faults.push('prints nothing');
  await context.close();
  return { faults: faults.concat(seen.faults), texts: seen.texts };
}

async function main(files) {
  const quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: quiet });
  let [failed, passed, texts] = [0, 0, 0];
  try {
    for (const file of files) {
      for (const view of VIEWS) {
        const found = await check(browser, file, view);
        texts += found.texts;
        const name = `${path.basename(file)} ${view.name}`;
        if (found.faults.length) {
          failed += 1;
          console.log(`FAIL ${name}\n  ${[...new Set(found.faults)].slice(0, 20).join('\n  ')}`);
        } else {
          passed += 1;
          console.log(`ok   ${name}`);
        }
      }
    }
  } finally {
    await browser.close();
  }
  if (!texts) {
    console.log('FAIL no page has a picture: nothing was tested');
    failed += 1;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}

main(process.argv.slice(2)).then((status) => process.exit(status), (error) => { console.error(error); process.exit(1); });
