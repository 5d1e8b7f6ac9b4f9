// The sheet that Telegram opens over an invoice before the bot is asked.

const NUMBER = new Intl.NumberFormat("ru");

// Resolves to whether the person wants to pay and can.
export function askToPay(invoice, stars) {
  const sheet = document.getElementById("checkout");
  const price = NUMBER.format(invoice.price_stars);
  const missing = invoice.price_stars - stars;
  const pay = document.getElementById("checkout-pay");
  document.getElementById("checkout-title").textContent = invoice.title;
  document.getElementById("checkout-about").textContent = invoice.description;
  document.getElementById("checkout-wallet").textContent =
    missing > 0
      ? `У вас ⭐ ${NUMBER.format(stars)}, не хватает ⭐ ${NUMBER.format(missing)}`
      : `У вас ⭐ ${NUMBER.format(stars)}`;
  pay.textContent = `Заплатить ⭐ ${price}`;
  pay.disabled = missing > 0;
  sheet.returnValue = "";
  sheet.showModal();
  return new Promise((resolve) => {
    sheet.addEventListener("close", () => resolve(sheet.returnValue === "pay"), { once: true });
  });
}
