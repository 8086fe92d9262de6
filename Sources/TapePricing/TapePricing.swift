// TapePricing
