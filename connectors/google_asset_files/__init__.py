"""What exists in Google Cloud projects, from exports of Cloud Asset Inventory."""
