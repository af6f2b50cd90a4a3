print("port")
