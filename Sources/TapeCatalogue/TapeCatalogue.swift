// TapeCatalogue
