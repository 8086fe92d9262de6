print("tapedeck-live")
