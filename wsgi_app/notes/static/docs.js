// Starts Swagger UI. In a file of its own, because the site allows no script inside a page.

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const place = /** @type {HTMLElement} */ (document.querySelector("#docs"));
/** @type {any} */ (globalThis).SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Would send the description to a validator elsewhere.
  validatorUrl: null,
});
